#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "codec/container_reader.hpp"
#include "core/element_values.hpp"
#include "core/error.hpp"
#include "core/spec.hpp"
#include "experiments/independence.hpp"
#include "experiments/plan.hpp"
#include "experiments/planted.hpp"
#include "experiments/results_file.hpp"
#include "experiments/tables.hpp"
#include "tools/command.hpp"

namespace wcodec {
namespace {

constexpr i64 kMinDim = 16;
constexpr double kLevel = 0.05;

struct Arguments {
  std::vector<std::string> checkpoints, tensors;
  std::string out;
  u64 limit = 12;
  IndependenceOptions options;
  bool power = false, json = false;
};

struct Findings {
  std::vector<DependenceRow> rows;
  std::vector<std::string> left_out;  // tensors that could not be tested, and why
  std::vector<PowerRow> power;
  PowerOptions power_options;
};

std::vector<std::size_t> chosen(const Checkpoint& checkpoint, const Arguments& arguments, const std::string& name) {
  std::vector<std::size_t> all, some;
  for (std::size_t i = 0; i < checkpoint.tensors().size(); ++i) {
    const TensorInfo& tensor = checkpoint.tensors()[i];
    bool wanted = arguments.tensors.empty();
    for (const std::string& glob : arguments.tensors) wanted = wanted || glob_match(glob, tensor.name);
    if (wanted && tensor.rows >= kMinDim && tensor.cols >= kMinDim && has_element_values(tensor.dtype))
      all.push_back(i);
  }
  if (all.empty()) {
    throw Error(ErrorKind::not_found,
                fmt::format("{}: no matrix of at least {} x {} weights matches; `wcodec stats` lists the tensors",
                            printable(name), kMinDim, kMinDim));
  }
  const u64 count = arguments.limit == 0 ? all.size() : std::min<u64>(arguments.limit, all.size());
  for (u64 k = 0; k < count; ++k) some.push_back(all[k * all.size() / count]);
  return some;
}

// "NAME=ADDRESS", or an address whose last part is the name.
std::pair<std::string, std::string> named(const std::string& argument) {
  const auto equals = argument.find('=');
  const auto colon = argument.find_first_of(":/");
  if (equals != std::string::npos && equals > 0 && equals < colon) {
    return {argument.substr(0, equals), argument.substr(equals + 1)};
  }
  std::filesystem::path path(argument);
  if (!path.has_filename()) path = path.parent_path();
  return {printable(path.filename().string()), argument};
}

void test_checkpoint(const Arguments& arguments, const std::string& argument, Findings& findings) {
  const auto [name, address] = named(argument);
  const std::unique_ptr<Checkpoint> checkpoint = open_any_checkpoint(address);
  std::vector<TestedTensor> tested;
  for (const std::size_t index : chosen(*checkpoint, arguments, name)) {
    const TensorInfo& tensor = checkpoint->tensors()[index];
    std::cerr << fmt::format("testing {}: {} ({} x {})\n", name, printable(tensor.name), tensor.rows, tensor.cols);
    try {
      tested.push_back(test_tensor(*checkpoint, index, tensor_content_hash(*checkpoint, index), arguments.options));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::unsupported) throw;
      findings.left_out.push_back(fmt::format("{}: {}", name, error.what()));
    }
  }
  for (DependenceRow& row : dependence_rows(name, tested)) findings.rows.push_back(std::move(row));
}

// One line a checkpoint, means and neighbourhood: all tensors together, and how many are significant by themselves.
Table summary_table(const Findings& findings) {
  Table table;
  table.name = "independence";
  table.title = "Mutual information between a weight and its neighbours, within classes of row and column scale";
  table.columns = {{"checkpoint"},
                   {"means of lines"},
                   {"neighbours"},
                   {"pairs", Align::right},
                   {"bits/weight", Align::right},
                   {"chance (sd)", Align::right},
                   {"p, Holm", Align::right},
                   {"tensors found", Align::right},
                   {"largest, bits/weight", Align::right},
                   {"of tensor"}};
  for (const DependenceRow& all : findings.rows) {
    if (all.tensor != "all") continue;
    u64 tensors = 0, found = 0;
    const DependenceRow* largest = nullptr;
    for (const DependenceRow& row : findings.rows) {
      if (row.tensor == "all" || row.checkpoint != all.checkpoint || row.without_means != all.without_means ||
          row.neighbourhood != all.neighbourhood) {
        continue;
      }
      ++tensors;
      found += row.p_holm <= kLevel ? 1 : 0;
      if (largest == nullptr || row.bits > largest->bits) largest = &row;
    }
    table.rows.push_back({all.checkpoint, all.without_means ? "removed" : "kept",
                          std::string(kNeighbourhoodNames[static_cast<std::size_t>(all.neighbourhood)]),
                          format_short(all.pairs), format_signed(all.bits, 5), format_real(all.null_sd, 5),
                          format_real(all.p_holm, 3), fmt::format("{} of {}", found, tensors),
                          largest == nullptr ? "" : format_signed(largest->bits, 5),
                          largest == nullptr ? "" : largest->tensor});
  }
  table.notes = {
      "bits/weight: plug-in estimate less the mean of the null, levels shuffled within row x column scale "
      "classes. \"found\": p at most 0.05 after Holm's correction over all tensors and neighbourhoods of the "
      "checkpoint."};
  for (const std::string& reason : findings.left_out) table.notes.push_back("Left out: " + reason);
  return table;
}

Table power_table(const Findings& findings) {
  const PowerOptions& options = findings.power_options;
  Table table;
  table.name = "power";
  table.title = "The smallest planted dependence that is found with 95 % power";
  table.columns = {{"planted"},
                   {"strength", Align::right},
                   {"found", Align::right},
                   {"by"},
                   {"bits/weight, estimated", Align::right},
                   {"bits/weight, true", Align::right}};
  for (const PowerRow& row : findings.power) {
    table.rows.push_back({std::string(kPlantedNames[static_cast<std::size_t>(row.kind)]),
                          std::isnan(row.strength) ? "none on the grid" : format_real(row.strength, 4),
                          format_real(100 * row.found, 0) + " %",
                          std::string(kNeighbourhoodNames[static_cast<std::size_t>(row.best)]),
                          format_real(row.bits, 5), format_real(row.true_bits, 5)});
  }
  table.notes = {
      fmt::format("{} replicates of {} x {} Gaussian weights, p at most {:.5f} in any neighbourhood; without "
                  "anything planted {:.0f} % are \"found\".",
                  options.replicates, options.rows, options.cols, options.level,
                  findings.power.empty() ? 0.0 : 100 * findings.power.front().false_alarms)};
  return table;
}

nlohmann::json real(double value) { return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(); }

nlohmann::json to_json(const Findings& findings) {
  nlohmann::json rows = nlohmann::json::array(), power = nlohmann::json::array();
  for (const DependenceRow& row : findings.rows) {
    rows.push_back({{"checkpoint", row.checkpoint},
                    {"tensor", row.tensor},
                    {"kind", row.kind},
                    {"rows", row.rows},
                    {"cols", row.cols},
                    {"means", row.without_means ? "removed" : "kept"},
                    {"neighbours", kNeighbourhoodNames[static_cast<std::size_t>(row.neighbourhood)]},
                    {"pairs", row.pairs},
                    {"plug_in", real(row.plug_in)},
                    {"null_mean", real(row.null_mean)},
                    {"null_sd", real(row.null_sd)},
                    {"bits", real(row.bits)},
                    {"p", real(row.p)},
                    {"p_holm", real(row.p_holm)}});
  }
  for (const PowerRow& row : findings.power) {
    power.push_back({{"planted", kPlantedNames[static_cast<std::size_t>(row.kind)]},
                     {"strength", real(row.strength)},
                     {"found", real(row.found)},
                     {"neighbours", kNeighbourhoodNames[static_cast<std::size_t>(row.best)]},
                     {"bits", real(row.bits)},
                     {"true_bits", real(row.true_bits)},
                     {"false_alarms", real(row.false_alarms)}});
  }
  return {{"rows", std::move(rows)}, {"power", std::move(power)}, {"left_out", findings.left_out}};
}

int run(const Arguments& arguments) {
  if (arguments.checkpoints.empty() && !arguments.power) {
    throw Error(ErrorKind::usage, "name a checkpoint, or ask for --power");
  }
  Findings findings;
  for (const std::string& checkpoint : arguments.checkpoints) test_checkpoint(arguments, checkpoint, findings);
  if (arguments.power) {
    findings.power_options.seed = arguments.options.seed;
    findings.power_options.permutations = arguments.options.permutations;
    findings.power = smallest_found(findings.power_options);
  }
  std::string text;
  std::vector<Table> tables;
  if (!findings.rows.empty()) tables.push_back(summary_table(findings));
  if (!findings.power.empty()) tables.push_back(power_table(findings));
  for (const Table& table : tables) text += (text.empty() ? "" : "\n") + to_markdown(table);
  if (!arguments.out.empty()) {
    const std::string folder = arguments.out + "/";
    if (!findings.rows.empty()) write_file_atomically(folder + "independence.csv", dependence_csv(findings.rows));
    if (!findings.power.empty()) {
      write_file_atomically(folder + "power.csv", power_csv(findings.power, findings.power_options));
    }
    write_file_atomically(folder + "independence.md", text);
  }
  print_line(arguments.json ? to_json(findings).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) : text);
  return kAllFine;
}

}  // namespace

void add_independence(CLI::App& app, Action& action) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand(
      "independence", "Test whether a weight depends on its neighbours, beyond the scale of its row and column");
  command
      ->add_option("checkpoint", arguments->checkpoints,
                   "A file, a model's directory, or any source of `wcodec list`; NAME= before it names it")
      ->type_name("[NAME=]FILE");
  command->add_option("--tensor", arguments->tensors, "Only tensors whose name matches; repeatable")
      ->type_name("GLOB")
      ->allow_extra_args(false);
  command->add_option("--limit", arguments->limit, "At most so many matrices, evenly spaced over the file; 0 = all")
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--weights", arguments->options.weights, "Most weights of a matrix: a block from its middle")
      ->type_name("N")
      ->check(CLI::Range(u64{64}, u64{1} << 26))
      ->capture_default_str();
  command->add_option("--permutations", arguments->options.permutations, "Draws of the null")
      ->type_name("N")
      ->check(CLI::Range(19, 1'000'000))
      ->capture_default_str();
  command->add_option("--seed", arguments->options.seed, "Seed of dither and permutations")
      ->type_name("N")
      ->capture_default_str();
  command->add_flag("--power", arguments->power,
                    "Plant known dependences into Gaussian data; report the smallest found with 95 % power");
  command->add_option("-o,--out", arguments->out, "Folder for independence.csv, power.csv and independence.md")
      ->type_name("DIR");
  command->add_flag("--json", arguments->json, "Print everything as one JSON object");
  command->footer(
      "The smallest p that permutations can give is 1 / (N + 1): for Holm's correction over many tensors, N has to be\n"
      "20 times the number of tensors and neighbourhoods (4).\n\n"
      "Examples:\n"
      "  wcodec independence model.safetensors\n"
      "  wcodec independence --power\n"
      "  wcodec independence mine=model/ synthetic:smooth --limit 4 --out results/independence\n");
  command->callback([arguments, &action] { action = [arguments] { return run(*arguments); }; });
}

}  // namespace wcodec
