#include <fmt/format.h>

#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/spec.hpp"
#include "experiments/memory.hpp"
#include "experiments/results_file.hpp"
#include "tools/command.hpp"

namespace wcodec {
namespace {

struct Arguments {
  std::vector<std::string> results = {"results/shared", "results/quickstart"}, configs;
  std::string shape, format = "markdown";
  MemoryOptions options;
  bool kinds = false, json = false;
};

nlohmann::json real(double value) { return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(); }

nlohmann::json to_json(const MemoryRow& row) {
  nlohmann::json kinds = nlohmann::json::array();
  for (const KindBits& kind : row.kinds) {
    kinds.push_back({{"kind", kind.kind},
                     {"measured_as", kind.measured_as},
                     {"tensors", kind.tensors},
                     {"bits", real(kind.bits.effect)},
                     {"lo", real(kind.bits.interval.lo)},
                     {"hi", real(kind.bits.interval.hi)},
                     {"borrowed", kind.is_borrowed}});
  }
  return {{"model", row.model},
          {"format", row.format},
          {"measured_on", row.measured_on},
          {"coder", row.coder},
          {"weights", row.weights},
          {"plain_bytes", row.plain_bytes},
          {"scale_bytes", row.scale_bytes},
          {"coded_bytes", row.coded_bytes},
          {"coded_lo", real(row.coded.lo)},
          {"coded_hi", real(row.coded.hi)},
          {"saved", row.saved()},
          {"kinds", std::move(kinds)}};
}

std::vector<ModelShape> chosen_shapes(const Arguments& arguments) {
  std::vector<ModelShape> shapes;
  for (const std::string& config : arguments.configs) {
    shapes.push_back(parse_model_shape(config, read_text_file(config, std::size_t{1} << 20)));
  }
  std::vector<sv> names;
  for (const ModelShape& shape : known_shapes()) {
    names.push_back(shape.name);
    if (arguments.shape == shape.name || (arguments.shape.empty() && arguments.configs.empty())) {
      shapes.push_back(shape);
    }
  }
  if (shapes.empty()) {
    throw Error(ErrorKind::usage,
                fmt::format("{}; --config FILE takes any other", unknown_name("model", arguments.shape, names)));
  }
  return shapes;
}

int run(const Arguments& arguments) {
  const std::vector<ModelShape> shapes = chosen_shapes(arguments);
  std::vector<SummaryRow> summary;
  for (const std::string& folder : arguments.results) {
    for (SummaryRow& row : parse_summary_csv(read_text_file(folder + "/summary.csv")))
      summary.push_back(std::move(row));
  }
  const std::vector<MemoryRow> rows = memory_rows(summary, shapes, arguments.options);
  if (arguments.json) {
    nlohmann::json out = {{"shapes", nlohmann::json::array()}, {"rows", nlohmann::json::array()}};
    for (const ModelShape& shape : shapes) {
      out["shapes"].push_back(
          {{"name", shape.name}, {"source", shape.source}, {"matrix_weights", matrix_weights(shape)}});
    }
    for (const MemoryRow& row : rows) out["rows"].push_back(to_json(row));
    print_line(out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    return kAllFine;
  }
  const Table table = arguments.kinds ? memory_kinds_table(rows) : memory_table(rows);
  print_line(arguments.format == "csv" ? to_csv(table) : to_markdown(table));
  return kAllFine;
}

}  // namespace

void add_memory(CLI::App& app, Action& action) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      app.add_subcommand("memory", "Show what memory a large model would take, from bits measured on small ones");
  command->add_option("--model", arguments->shape, "llama-2-7b or llama-2-70b (default: both)")->type_name("NAME");
  command->add_option("--config", arguments->configs, "A config.json with the shapes of another model; repeatable")
      ->type_name("FILE")
      ->allow_extra_args(false);
  command->add_option("--results", arguments->results, "Results folder that bits are taken from; repeatable")
      ->type_name("DIR")
      ->allow_extra_args(false)
      ->capture_default_str();
  command->add_option("--measured-on", arguments->options.checkpoint, "Only bits of checkpoints whose name matches")
      ->type_name("GLOB");
  command->add_option("--coder", arguments->options.coder, "Coder whose rows count")
      ->type_name("SPEC")
      ->capture_default_str();
  command->add_option("--modes", arguments->options.modes, "Mode set whose rows count, as in summary.csv")
      ->type_name("MODES")
      ->capture_default_str();
  command->add_option("--format", arguments->format, "markdown or csv")
      ->check(CLI::IsMember({"markdown", "csv"}))
      ->capture_default_str();
  command->add_flag("--kinds", arguments->kinds, "The bits by tensor kind instead");
  command->add_flag("--json", arguments->json, "Print everything as one JSON object");
  command->footer(
      "Matrices only: norms and biases are under 0.01 % of such a model. Scales are counted from the large shapes.\n\n"
      "Examples:\n"
      "  wcodec memory\n"
      "  wcodec memory --model llama-2-7b --measured-on \"pylm*\" --kinds\n"
      "  wcodec memory --config model/config.json --format csv\n");
  command->callback([arguments, &action] { action = [arguments] { return run(*arguments); }; });
}

}  // namespace wcodec
