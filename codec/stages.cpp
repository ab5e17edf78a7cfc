#include "codec/stages.hpp"

#include "core/tile.hpp"
#include "entropy/registry.hpp"
#include "predictors/registry.hpp"
#include "quantizers/registry.hpp"
#include "transforms/registry.hpp"

namespace wcodec {

std::string canonical_quantizer(sv text) { return to_string(parse_quantizer(text)); }

std::string canonical_coder(sv text) { return parse_coder(text).spec; }

std::string canonical_tile(sv text) {
  if (text == "square") return "16x16";
  if (text == "wide") return "8x32";
  if (text == "tall") return "32x8";
  return to_string(parse_tile(text));
}

std::string canonical_modes(const std::vector<std::string>& names) { return mode_set_name(parse_mode_set(names)); }

std::string canonical_transform(sv text) { return transform_set_name(parse_transform_set(text)); }

std::vector<std::string> split_modes(sv joined) {
  std::vector<std::string> names;
  while (true) {
    const auto plus = joined.find('+');
    names.emplace_back(joined.substr(0, plus));
    if (plus == sv::npos) return names;
    joined = joined.substr(plus + 1);
  }
}

std::vector<StageInfo> list_stages() {
  std::vector<StageInfo> rows;
  const auto add = [&](const char* stage, const auto& row) {
    rows.push_back({stage, std::string(row.name), std::string(row.help), {row.options.begin(), row.options.end()}});
  };
  for (const Quantizer* row : quantizers()) add("quantizer", *row);
  for (const Predictor& row : predictors()) add("predictor", row);
  for (const Transform& row : transforms())
    rows.push_back({"transform", std::string(row.name), std::string(row.help), {}});
  rows.push_back({"transform", std::string(kProbe), std::string(kProbeHelp), {}});
  for (const EntropyCoder* row : entropy_coders()) add("coder", *row);
  return rows;
}

}  // namespace wcodec
