#include "predictors/registry.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "core/error.hpp"

namespace wcodec {

std::span<const Predictor> predictors() noexcept {
  static constexpr auto kRows = Predictors::rows();
  return kRows;
}

PredictorChoice parse_predictor(sv text) {
  const Spec spec = parse_spec(text);
  std::vector<sv> names;
  for (const Predictor& row : predictors()) {
    if (row.name != spec.name) {
      names.push_back(row.name);
      continue;
    }
    const OptionReader reader(spec, row.options);
    const u8 option = row.options.empty()
                          ? row.default_option
                          : static_cast<u8>(reader.integer(row.options[0].key, row.option_low, row.option_high));
    return {&row, option};
  }
  throw Error(ErrorKind::usage, unknown_name("predictor", spec.name, names));
}

std::string to_string(const PredictorChoice& choice) {
  if (choice.option == choice.row->default_option) return std::string(choice.row->name);
  return fmt::format("{}:{}={}", choice.row->name, choice.row->options[0].key, choice.option);
}

PredictorChoice predictor_from_wire(u8 id, u8 option) {
  for (const Predictor& row : predictors()) {
    if (row.id != id) continue;
    const bool in_range = row.options.empty() ? option == 0 : option >= row.option_low && option <= row.option_high;
    if (!in_range) throw Error(ErrorKind::corrupt, fmt::format("predictor '{}' with option {}", row.name, option));
    return {&row, option};
  }
  throw Error(ErrorKind::corrupt, fmt::format("unknown predictor id {}", id));
}

std::vector<PredictorChoice> parse_mode_set(const std::vector<std::string>& names) {
  if (names.empty()) throw Error(ErrorKind::usage, "a mode set needs at least one predictor, e.g. [none]");
  std::vector<PredictorChoice> modes;
  for (const std::string& name : names) modes.push_back(parse_predictor(name));
  const auto key = [](const PredictorChoice& m) { return std::tuple(m.row - predictors().data(), m.option); };
  std::sort(modes.begin(), modes.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
  modes.erase(std::unique(modes.begin(), modes.end(), [&](const auto& a, const auto& b) { return key(a) == key(b); }),
              modes.end());
  return modes;
}

std::string mode_set_name(std::span<const PredictorChoice> modes) {
  std::string name;
  for (const PredictorChoice& mode : modes) name += (name.empty() ? "" : "+") + to_string(mode);
  return name;
}

}  // namespace wcodec
