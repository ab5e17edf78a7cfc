#include <fmt/format.h>

#include <algorithm>

#include "core/dtype.hpp"
#include "core/error.hpp"
#include "experiments/config_reader.hpp"
#include "experiments/reference.hpp"

namespace wcodec {
namespace {

std::vector<std::string> split(sv text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const auto at = text.find(separator);
    parts.emplace_back(text.substr(0, at));
    if (at == sv::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

// A glob without wildcards names one thing: it has to exist, and is spelled as cells spell it.
std::string read_glob(const std::string& name, const yaml::Field& field, const StageNames& names,
                      const ExperimentConfig& config) {
  const std::string text = field.text();
  if (text.find_first_of("*?") != std::string::npos) return text;
  if (name == "quantizer") return read_spec(field, names.quantizer);
  if (name == "order") return read_spec(field, names.order);
  if (name == "approx") return read_spec(field, names.approx);
  if (name == "tile") return read_spec(field, names.tile);
  if (name == "transform") return read_spec(field, names.transform);
  if (name == "coder") return read_spec(field, names.coder);
  if (name == "baseline") return read_spec(field, names.baseline);
  if (name == "modes") return read_spec(field, [&](sv modes) { return names.modes(split(modes, '+')); });
  if (name == "reference") return read_spec(field, [](sv spec) { return to_string(parse_reference(spec)); });
  if (name == "checkpoint") {
    std::vector<sv> known;
    for (const CheckpointConfig& checkpoint : config.checkpoints) known.push_back(checkpoint.name);
    return field.choice(known);
  }
  if (name == "control") {
    static constexpr sv kControls[] = {"original", "shuffled", "shuffled-rows", "gaussian"};
    return field.choice(kControls);
  }
  if (name == "role") {
    static constexpr sv kRoles[] = {"codec", "baseline"};
    return field.choice(kRoles);
  }
  if (name == "dtype" && !parse_dtype(text)) field.fail(fmt::format("unknown dtype '{}'; e.g. BF16", printable(text)));
  return text;
}

bool mentions(const WhereRule& rule, sv name) {
  const auto is_it = [&](const Condition& condition) { return condition.field == name; };
  return std::any_of(rule.when.begin(), rule.when.end(), is_it) ||
         std::any_of(rule.drop.begin(), rule.drop.end(), is_it);
}

}  // namespace

std::vector<Condition> read_conditions(const yaml::Field& field, const StageNames& names,
                                       const ExperimentConfig& config) {
  field.check_keys(kConditionFields);
  std::vector<Condition> conditions;
  for (const auto& [name, value] : field.entries()) {
    Condition condition{name, {}};
    for (const yaml::Field& glob : value.nonempty()) condition.globs.push_back(read_glob(name, glob, names, config));
    std::sort(condition.globs.begin(), condition.globs.end());
    conditions.push_back(std::move(condition));
  }
  std::sort(conditions.begin(), conditions.end(),
            [](const Condition& a, const Condition& b) { return a.field < b.field; });
  return conditions;
}

std::vector<WhereRule> read_where(const yaml::Field& field, const StageNames& names, const ExperimentConfig& config) {
  static constexpr sv kKeys[] = {"if", "drop"};
  std::vector<WhereRule> rules;
  for (const yaml::Field& item : field.list()) {
    item.check_keys(kKeys);
    WhereRule rule{read_conditions(item.require("if"), names, config),
                   read_conditions(item.require("drop"), names, config)};
    for (const sv name : {"order", "approx", "tile", "modes", "transform", "coder", "device", "reference"}) {
      if (mentions(rule, "baseline") && mentions(rule, name)) {
        item.fail(fmt::format("drops nothing: a baseline has no {}", name));
      }
    }
    rules.push_back(std::move(rule));
  }
  return rules;
}

}  // namespace wcodec
