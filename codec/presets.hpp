// How tensors are coded where nobody says it in detail: three presets, and plans made of stages.
#pragma once

#include <string>
#include <vector>

#include "codec/tensor_codec.hpp"

namespace wcodec {

struct StagePlan {
  TileShape tile = kUntiled;
  std::vector<PredictorChoice> modes;
  CoderChoice coder;
  TransformSet transforms = identity_transform();
};
// "16x16 none+left rans:tables=tensor", "16x16 none dct8 rans:tables=band", or "rows none prefix" for kUntiled: for
// people.
std::string to_string(const StagePlan& plan);

// ratio: the smallest of several plans, contexts in all of them. balanced: one table a tensor, within 0.5 % of that on
// INT8 and several times as fast. speed: pairs of symbols in a prefix code, low bits raw. Figures are in
// docs/performance.md.
enum class Preset : u8 { ratio, balanced, speed };
inline constexpr sv kPresetNames[] = {"ratio", "balanced", "speed"};
inline constexpr Preset kDefaultPreset = Preset::balanced;

Preset parse_preset(sv name);  // throws Error{usage}
const char* preset_coder(Preset preset) noexcept;
// Plans to be tried for words of this format, in order.
std::vector<StagePlan> preset_plans(Preset preset, const WordFormat& format);

// The record of the plan that makes it smallest; the first of equals. At least one plan.
EncodedTensor encode_smallest(const QuantizedTensor& tensor, std::span<const StagePlan> plans);

}  // namespace wcodec
