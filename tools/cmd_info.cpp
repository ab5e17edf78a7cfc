#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "codec/container_reader.hpp"
#include "codec/format_version.hpp"
#include "core/error.hpp"
#include "core/sources/describe.hpp"
#include "tools/byte_progress.hpp"
#include "tools/codec_command.hpp"
#include "tools/text_table.hpp"

namespace wcodec {
namespace {

double per(u64 a, u64 b) { return b == 0 ? 0 : static_cast<double>(a) / static_cast<double>(b); }

nlohmann::json to_json(const ContainerReader& reader) {
  nlohmann::json layers = nlohmann::json::array(), files = nlohmann::json::array();
  for (const LayerInfo& layer : reader.layers()) {
    layers.push_back({{"name", layer.name},
                      {"type", layer.source_type},
                      {"shape", layer.shape},
                      {"weights", layer.weights},
                      {"source_bytes", layer.source_bytes},
                      {"coded_bytes", layer.coded_bytes},
                      {"parts", layer.parts},
                      {"stages", layer.stages},
                      {"file", reader.source_files()[layer.file].name}});
  }
  for (const SourceFileInfo& file : reader.source_files()) {
    files.push_back({{"name", file.name},
                     {"bytes", file.bytes},
                     {"raw_bytes", file.raw_bytes},
                     {"coded_raw_bytes", file.coded_raw_bytes}});
  }
  return {{"name", reader.model_name()},
          {"format_version", kFormatVersion},
          {"source_bytes", reader.source_bytes()},
          {"container_bytes", reader.container_bytes()},
          {"ratio", per(reader.source_bytes(), reader.container_bytes())},
          {"ledger", ledger_json(reader.ledger())},
          {"files", std::move(files)},
          {"layers", std::move(layers)}};
}

std::string layer_table(const ContainerReader& reader) {
  std::vector<std::vector<std::string>> rows = {
      {"layer", "type", "shape", "parts", "bytes", "coded", "ratio", "bits/weight"}};
  for (const LayerInfo& layer : reader.layers()) {
    rows.push_back({shown_name(layer.name), layer.source_type, shape_text(layer.shape), fmt::format("{}", layer.parts),
                    fmt::format("{}", layer.source_bytes), fmt::format("{}", layer.coded_bytes),
                    layer.coded_bytes == 0 ? "-" : fmt::format("{:.4f}", per(layer.source_bytes, layer.coded_bytes)),
                    layer.weights == 0 ? "-" : fmt::format("{:.4f}", 8 * per(layer.coded_bytes, layer.weights))});
  }
  return text_table(rows);
}

std::string to_text(const ContainerReader& reader) {
  std::string out = layer_table(reader) + "\n";
  std::vector<std::string> stages;
  for (const LayerInfo& layer : reader.layers()) {
    if (std::find(stages.begin(), stages.end(), layer.stages) == stages.end()) stages.push_back(layer.stages);
  }
  for (const std::string& text : stages) out += fmt::format("stages  {}\n", printable(text));
  for (const SourceFileInfo& file : reader.source_files()) {
    out += fmt::format("file    {}: {}, of which {} outside tensors take {}\n", shown_name(file.name),
                       bytes_text(file.bytes), bytes_text(file.raw_bytes), bytes_text(file.coded_raw_bytes));
  }
  if (!reader.model_name().empty()) out += fmt::format("name    {}\n", printable(reader.model_name()));
  out += fmt::format("format  version {}\n", kFormatVersion);
  out += "ledger ";
  for (std::size_t i = 0; i < kLedgerEntries; ++i) {
    if (reader.ledger().bytes[i] == 0) continue;
    const sv column = kLedgerColumns[i];
    out += fmt::format(" {} {}", column.substr(0, column.size() - sv("_bytes").size()), reader.ledger().bytes[i]);
  }
  return out + fmt::format("\ntotal   {} layers, {} to {}, ratio {:.4f}\n", reader.layers().size(),
                           bytes_text(reader.source_bytes()), bytes_text(reader.container_bytes()),
                           per(reader.source_bytes(), reader.container_bytes()));
}

}  // namespace

void add_info(CLI::App& app, Action& action) {
  struct Arguments {
    std::string file;
    bool json = false;
  };
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      app.add_subcommand("info", "Show the layers of a .wcodec file, their sizes, and where bytes went");
  command->add_option("file", arguments->file, "The .wcodec file")->required()->type_name("FILE");
  command->add_flag("--json", arguments->json, "Print one JSON object");
  command->footer(
      "Reads the index only. Bytes of a layer are those in its source file; the ledger adds up to the file's size.\n\n"
      "Exit status: 0 all fine; 2 wrong usage or input.\n\n"
      "Examples:\n"
      "  wcodec info model.wcodec\n"
      "  wcodec info model.wcodec --json\n");
  command->callback([arguments, &action] {
    action = [arguments] {
      const auto reader = ContainerReader::open(arguments->file);
      print_line(arguments->json ? json_text(to_json(*reader)) : to_text(*reader));
      return kAllFine;
    };
  });
}

}  // namespace wcodec
