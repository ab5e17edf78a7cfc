#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "codec/stages.hpp"
#include "core/error.hpp"
#include "core/sources/synthetic.hpp"
#include "experiments/approximations.hpp"
#include "experiments/orders.hpp"
#include "experiments/reference.hpp"
#include "experiments/stage_registries.hpp"
#include "tools/command.hpp"

namespace wcodec {
namespace {

struct Row : StageInfo {
  std::string why_unavailable = {};  // on this machine; empty: it can be used
};

struct Section {
  std::string name, intro;
  std::vector<Row> rows;
};

std::vector<Section> sections() {
  std::vector<Section> all = {
      {"quantizer", "how weights become integer symbols (axes.quantizer)", {}},
      {"order", "how rows and columns are rearranged before prediction (axes.order; experiments only)", {}},
      {"approximation", "what is taken off before prediction, and coded apart (axes.approx; experiments only)", {}},
      {"predictor", "how a symbol is guessed from its neighbours in the tile (axes.modes)", {}},
      {"transform", "what the 8x8 blocks of a tile go through after prediction (axes.transform)", {}},
      {"coder", "how symbols become bytes, with what tables (axes.coder)", {}},
      {"reference", "another tensor that a tensor is predicted from (axes.reference)", {}},
      {"baseline", "compressors that others wrote, measured beside the codec (baselines)", {}},
      {"source", "where a checkpoint may come from (checkpoints: path)", {}},
  };
  const auto section = [&](sv name) {
    return std::find_if(all.begin(), all.end(), [&](const Section& s) { return s.name == name; });
  };
  for (StageInfo& row : list_stages()) {
    const auto found = section(row.stage);
    if (found == all.end()) throw Error(ErrorKind::internal, fmt::format("stage '{}' has no section", row.stage));
    found->rows.push_back({std::move(row)});
  }
  for (StageInfo& row : list_references()) section("reference")->rows.push_back({std::move(row)});
  for (const Baseline* row : experiment_baselines().rows()) {
    section("baseline")
        ->rows.push_back({{"baseline", std::string(row->name), std::string(row->help), BaselineRegistry::options(*row)},
                          why_unavailable(*row)});
  }
  const auto options_of = [](const auto& row) {
    return std::vector<OptionInfo>(row.options.begin(), row.options.end());
  };
  for (const Order& row : orders())
    section("order")->rows.push_back({{"order", std::string(row.name), std::string(row.help), options_of(row)}});
  for (const Approximation* row : approximations()) {
    section("approximation")
        ->rows.push_back({{"approximation", std::string(row->name), std::string(row->help), options_of(*row)}});
  }
  auto& sources = section("source")->rows;
  const auto add = [&](const char* name, const char* help) { sources.push_back({{"source", name, help, {}}}); };
  add("PATH", "a .safetensors or .gguf file, an index of shards (.safetensors.index.json), or a model's directory");
  add("pip:PACKAGE/PATH", "a file inside an installed Python package");
  add("hf://ORG/NAME[@REVISION]", "a model of the Hugging Face hub, from its local cache or downloaded");
  for (const SyntheticKind& kind : synthetic_kinds()) {
    const auto options = synthetic_options();
    sources.push_back(
        {{"source", fmt::format("synthetic:{}", kind.name), std::string(kind.help), {options.begin(), options.end()}}});
  }
  return all;
}

nlohmann::json to_json(const std::vector<Section>& all) {
  nlohmann::json out = nlohmann::json::object();
  for (const Section& section : all) {
    nlohmann::json rows = nlohmann::json::array();
    for (const Row& row : section.rows) {
      nlohmann::json options = nlohmann::json::array();
      for (const OptionInfo& option : row.options) {
        options.push_back({{"key", option.key},
                           {"default", option.default_value},
                           {"allowed", option.allowed},
                           {"help", option.help}});
      }
      rows.push_back({{"name", row.name},
                      {"help", row.help},
                      {"options", std::move(options)},
                      {"available", row.why_unavailable.empty()},
                      {"why_unavailable", row.why_unavailable}});
    }
    out[section.name + "s"] = std::move(rows);
  }
  return out;
}

bool same_options(const StageInfo& a, const StageInfo& b) {
  return std::equal(a.options.begin(), a.options.end(), b.options.begin(), b.options.end(),
                    [](const OptionInfo& x, const OptionInfo& y) {
                      return x.key == y.key && x.default_value == y.default_value && x.allowed == y.allowed &&
                             x.help == y.help;
                    });
}

std::string to_text(const std::vector<Section>& all) {
  std::string out;
  for (const Section& section : all) {
    out += fmt::format("{}{}s: {}\n", out.empty() ? "" : "\n", section.name, section.intro);
    std::size_t name_width = 0;
    for (const Row& row : section.rows) name_width = std::max(name_width, row.name.size());
    for (std::size_t i = 0; i < section.rows.size(); ++i) {
      const Row& row = section.rows[i];
      // Options that the next row shares are shown once, below the last row that has them.
      const bool shared = i + 1 < section.rows.size() && !row.options.empty() && same_options(row, section.rows[i + 1]);
      out += fmt::format("  {:<{}}  {}{}\n", row.name, name_width, row.help, shared ? " (options: see below)" : "");
      if (!row.why_unavailable.empty()) {
        out += fmt::format("  {:<{}}    not on this machine: {}\n", "", name_width, row.why_unavailable);
      }
      if (shared) continue;
      for (const OptionInfo& option : row.options) {
        const std::string preset = option.default_value.empty() ? "" : fmt::format("={}", option.default_value);
        out += fmt::format("  {:<{}}    {}{}  ({})  {}\n", "", name_width, option.key, preset, option.allowed,
                           option.help);
      }
    }
  }
  return out;
}

}  // namespace

void add_list(CLI::App& app, Action& action) {
  struct Arguments {
    std::string section;
    std::vector<std::string> plugins;
    bool json = false;
  };
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("list", "Show every stage with its options, defaults and what they do");
  command
      ->add_option("section", arguments->section,
                   "Only: quantizers, orders, approximations, predictors, transforms, coders, references, "
                   "baselines, sources")
      ->type_name("SECTION");
  command->add_flag("--json", arguments->json, "Print one JSON object");
  declare_plugins(*command, arguments->plugins);
  command->footer(
      "A stage is written name:key=value,key=value, in configs and on the command line; an option left out has the\n"
      "default shown here.\n\n"
      "Examples:\n"
      "  wcodec list\n"
      "  wcodec list baselines\n"
      "  wcodec list --json\n");
  command->callback([arguments, &action] {
    action = [arguments] {
      use_plugins(arguments->plugins);
      std::vector<Section> all = sections();
      if (!arguments->section.empty()) {
        std::vector<std::string> names;
        for (const Section& section : all) names.push_back(section.name + "s");
        const auto found = std::find(names.begin(), names.end(), arguments->section);
        if (found == names.end()) {
          throw Error(ErrorKind::usage,
                      unknown_name("section", arguments->section, std::vector<sv>(names.begin(), names.end())));
        }
        all = {all[static_cast<std::size_t>(found - names.begin())]};
      }
      print_line(arguments->json ? to_json(all).dump(2) : to_text(all));
      return kAllFine;
    };
  });
}

}  // namespace wcodec
