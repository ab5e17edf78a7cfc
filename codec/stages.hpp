// Names of all stages: checks and canonical spellings for configs, results and cell hashes. Each throws Error{usage}
// that suggests the nearest known name.
#pragma once

#include <string>
#include <vector>

#include "core/spec.hpp"
#include "core/types.hpp"

namespace wcodec {

std::string canonical_quantizer(sv text);  // "int8:axis=row" → "int8" if row is the default
std::string canonical_coder(sv text);      // entropy coders only; baselines have their own registry
std::string canonical_tile(sv text);       // "16x16"; the presets "square" 16x16, "wide" 8x32, "tall" 32x8
// Predictor names (each may be a spec such as "ls:neighbours=3") to registry order without duplicates, joined by '+'.
std::string canonical_modes(const std::vector<std::string>& names);
std::string canonical_transform(sv text);         // "identity", "dct8", …, "probe"
std::vector<std::string> split_modes(sv joined);  // the inverse: "none+left" → {"none", "left"}

// Rows of `wcodec list`.
struct StageInfo {
  std::string stage;  // "quantizer", "predictor", "transform", "coder"
  std::string name;
  std::string help;
  std::vector<OptionInfo> options;
};
std::vector<StageInfo> list_stages();

}  // namespace wcodec
