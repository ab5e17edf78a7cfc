#include <nlohmann/json.hpp>

#include "core/hash.hpp"
#include "experiments/config.hpp"

namespace wcodec {
namespace {

using nlohmann::json;  // its objects are sorted by key

json to_json(const std::vector<Condition>& conditions) {
  json out = json::object();
  for (const Condition& condition : conditions) out[condition.field] = condition.globs;
  return out;
}

json mode_list(const std::string& joined) {
  json out = json::array();
  std::size_t begin = 0;
  while (true) {
    const auto plus = joined.find('+', begin);
    out.push_back(joined.substr(begin, plus - begin));
    if (plus == std::string::npos) return out;
    begin = plus + 1;
  }
}

json to_json(const CheckpointConfig& checkpoint) {
  json out = {{"name", checkpoint.name},
              {"family", checkpoint.family},
              {"path", checkpoint.path},
              {"optional", checkpoint.optional},
              {"required_in_ci", checkpoint.required_in_ci}};
  if (!checkpoint.views.empty()) out["views"] = checkpoint.views;
  return out;
}

// Axes that came later stay out where they are as they always were: a config asks what it asked before.
json axes_json(const ExperimentConfig& config) {
  json out;
  for (std::size_t i = 0; i < kAxes; ++i) out[std::string(kAxisNames[i])] = config.axes[i];
  if (config.axis(Axis::order) == std::vector<std::string>{"identity"}) out.erase("order");
  if (config.axis(Axis::approx) == std::vector<std::string>{"none"}) out.erase("approx");
  json& modes = out["modes"] = json::array();
  for (const std::string& set : config.axis(Axis::modes)) modes.push_back(mode_list(set));
  // An experiment without references asks what it asked before there were any.
  if (config.axis(Axis::reference) == std::vector<std::string>{"none"}) out.erase("reference");
  return out;
}

}  // namespace

std::string canonical_config(const ExperimentConfig& config) {
  json out = {{"experiment", config.experiment},
              {"tensors",
               {{"include", config.tensors.include},
                {"exclude", config.tensors.exclude},
                {"kinds", config.tensors.kinds},
                {"min_dim", config.tensors.min_dim},
                {"max_weights", config.tensors.max_weights},
                {"limit", config.tensors.limit}}},
              {"controls", config.controls},
              {"axes", axes_json(config)},
              {"baselines", config.baselines},
              {"baseline_controls", config.baseline_controls},
              {"seed", config.seed},
              {"diagnostics", config.diagnostics}};
  for (const CheckpointConfig& checkpoint : config.checkpoints) out["checkpoints"].push_back(to_json(checkpoint));
  out["zip"] = json::array();
  for (const std::vector<Axis>& group : config.zip) {
    json& names = out["zip"].emplace_back(json::array());
    for (const Axis axis : group) names.push_back(kAxisNames[static_cast<std::size_t>(axis)]);
  }
  out["where"] = json::array();
  for (const WhereRule& rule : config.where) {
    out["where"].push_back({{"if", to_json(rule.when)}, {"drop", to_json(rule.drop)}});
  }
  out["measure"] = {{"bytes", "encoded"}};
  if (config.timing) {
    json& timing = out["measure"]["timing"] = {{"repeats", config.timing->repeats}, {"warmup", config.timing->warmup}};
    if (!config.timing->only.empty()) timing["only"] = to_json(config.timing->only);
  }
  out["compare"] = json::array();
  for (const Comparison& comparison : config.compare) {
    out["compare"].push_back({{"factor", comparison.factor},
                              {"against", mode_list(comparison.against)},
                              {"statistic", comparison.statistic},
                              {"margin", comparison.margin}});
  }
  return out.dump(2) + "\n";
}

std::string config_hash(const ExperimentConfig& config) { return content_hash(sv(canonical_config(config))); }

}  // namespace wcodec
