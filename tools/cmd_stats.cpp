#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "codec/container_reader.hpp"
#include "core/error.hpp"
#include "core/spec.hpp"
#include "core/weight_stats.hpp"
#include "tools/command.hpp"
#include "tools/text_table.hpp"

namespace wcodec {
namespace {

struct Column {
  const char* heading;
  std::string (*text)(const WeightStats&);
};

std::string number(double value, int digits) { return std::isnan(value) ? "-" : fmt::format("{:.{}f}", value, digits); }

constexpr Column kColumns[] = {
    {"type", [](const WeightStats& s) { return printable(s.source_type); }},
    {"shape", [](const WeightStats& s) { return fmt::format("{}x{}", s.rows, s.cols); }},
    {"zeros", [](const WeightStats& s) { return number(100 * s.sparsity, 1) + "%"; }},
    {"mean", [](const WeightStats& s) { return std::isnan(s.mean) ? "-" : fmt::format("{:.2g}", s.mean); }},
    {"stddev", [](const WeightStats& s) { return std::isnan(s.stddev) ? "-" : fmt::format("{:.3g}", s.stddev); }},
    {"kurtosis", [](const WeightStats& s) { return number(s.kurtosis, 2); }},
    {"scaled", [](const WeightStats& s) { return number(s.scaled_kurtosis, 2); }},
    {"rows", [](const WeightStats& s) { return number(s.row_scale_spread, 2); }},
    {"cols", [](const WeightStats& s) { return number(s.col_scale_spread, 2); }},
    {"left", [](const WeightStats& s) { return number(s.left_correlation, 3); }},
    {"top", [](const WeightStats& s) { return number(s.top_correlation, 3); }},
    {"int8", [](const WeightStats& s) { return number(s.int8_entropy, 3); }},
    {"|left", [](const WeightStats& s) { return number(s.int8_entropy_given_left, 3); }},
    {"chance", [](const WeightStats& s) { return number(s.int8_entropy_given_left_by_chance, 3); }},
    {"byte", [](const WeightStats& s) { return number(s.byte_entropy, 3); }},
};

constexpr const char* kLegend =
    "\n"
    "zeros     share of weights that are zero        kurtosis  3 for a normal distribution; scaled: after dividing by\n"
    "rows cols spread of log2 RMS over rows, columns           the RMS of row and column\n"
    "left top  correlation with that neighbour       int8      bits a weight of its INT8 codes, one scale a row;\n"
    "byte      bits a byte of the values as stored             |left: given the code to the left;\n"
    "                                                          chance: the same in random order. Only what |left has\n"
    "                                                          below it is information in the neighbour\n";

// Name first, left; figures right.
std::string to_table(const std::vector<WeightStats>& tensors) {
  std::vector<std::vector<std::string>> rows = {{"tensor"}};
  for (const Column& column : kColumns) rows[0].emplace_back(column.heading);
  for (const WeightStats& stats : tensors) {
    std::vector<std::string>& row = rows.emplace_back(1, printable(stats.name));
    for (const Column& column : kColumns) row.push_back(column.text(stats));
  }
  return text_table(rows) + kLegend;
}

// Objects are printed as they come: a large checkpoint takes a while.
int print_stats(const std::string& address, const std::vector<std::string>& globs, bool json) {
  const std::unique_ptr<Checkpoint> checkpoint = open_any_checkpoint(address);
  std::vector<WeightStats> tensors;
  const auto wanted = [&](const TensorInfo& tensor) {
    for (const std::string& glob : globs) {
      if (glob_match(glob, tensor.name)) return true;
    }
    return globs.empty();
  };
  std::size_t found = 0;
  for (std::size_t i = 0; i < checkpoint->tensors().size(); ++i) {
    if (!wanted(checkpoint->tensors()[i]) || checkpoint->tensors()[i].weights() == 0) continue;
    const WeightStats stats = weight_stats(*checkpoint, i);
    ++found;
    if (json) {
      print_line((found == 1 ? "{\"tensors\": [\n" : ",\n") + to_json(stats));
    } else {
      tensors.push_back(stats);
    }
  }
  if (found == 0) {
    throw Error(ErrorKind::not_found, globs.empty() ? fmt::format("{} has no tensor with weights", printable(address))
                                                    : fmt::format("{} has no tensor whose name matches {}",
                                                                  printable(address), printable(globs.front())));
  }
  print_line(json ? "]}" : to_table(tensors));
  return kAllFine;
}

}  // namespace

void add_stats(CLI::App& app, Action& action) {
  struct Arguments {
    std::string address;
    std::vector<std::string> globs;
    bool json = false;
  };
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      app.add_subcommand("stats", "Show what the weights of a checkpoint look like, before anything is done to them");
  command->add_option("checkpoint", arguments->address, "A file, a model's directory, or any source of `wcodec list`")
      ->required()
      ->type_name("FILE");
  command->add_option("--tensor", arguments->globs, "Only tensors whose name matches, e.g. \"*.weight\"; repeatable")
      ->type_name("GLOB")
      ->allow_extra_args(false);
  command->add_flag("--json", arguments->json, "Print one JSON object, with more figures than the table has");
  command->footer(
      "Examples:\n"
      "  wcodec stats model.safetensors\n"
      "  wcodec stats model.safetensors --tensor \"*mlp*\"\n"
      "  wcodec stats synthetic:gaussian:rows=512,cols=512 --json\n");
  command->callback([arguments, &action] {
    action = [arguments] { return print_stats(arguments->address, arguments->globs, arguments->json); };
  });
}

}  // namespace wcodec
