#include "codec/presets.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "core/error.hpp"

namespace wcodec {

std::string to_string(const StagePlan& plan) {
  const std::string transform = plan.transforms.is_identity() ? "" : transform_set_name(plan.transforms) + " ";
  return fmt::format("{} {} {}{}", plan.tile == kUntiled ? "rows" : to_string(plan.tile), mode_set_name(plan.modes),
                     transform, plan.coder.spec);
}

Preset parse_preset(sv name) {
  const auto* const at = std::find(std::begin(kPresetNames), std::end(kPresetNames), name);
  if (at == std::end(kPresetNames)) throw Error(ErrorKind::usage, unknown_name("preset", name, kPresetNames));
  return static_cast<Preset>(at - std::begin(kPresetNames));
}

const char* preset_coder(Preset preset) noexcept {
  switch (preset) {
    case Preset::ratio:
      return "rans:tables=best,contexts=64";
    case Preset::balanced:
      return "rans:precision=12";
    case Preset::speed:
      break;
  }
  return "prefix";
}

std::vector<StagePlan> preset_plans(Preset preset, const WordFormat& format) {
  const CoderChoice coder = parse_coder(preset_coder(preset));
  std::vector<StagePlan> plans = {{kUntiled, parse_mode_set({"none"}), coder, identity_transform()}};
  // What prediction finds in a few tiles is worth its side information on integers, never on the fields of floats.
  if (preset == Preset::ratio && format.bits <= 8 && format.number != NumberClass::floating)
    plans.push_back(
        {{16, 16}, parse_mode_set({"none", "left", "top", "avg", "planar", "col-mean"}), coder, identity_transform()});
  return plans;
}

EncodedTensor encode_smallest(const QuantizedTensor& tensor, std::span<const StagePlan> plans) {
  EncodedTensor best = encode_tensor(tensor, plans[0].tile, plans[0].modes, plans[0].coder, plans[0].transforms);
  for (const StagePlan& plan : plans.subspan(1)) {
    EncodedTensor other = encode_tensor(tensor, plan.tile, plan.modes, plan.coder, plan.transforms);
    if (other.bytes.size() < best.bytes.size()) best = std::move(other);
  }
  return best;
}

}  // namespace wcodec
