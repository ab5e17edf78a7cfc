#include "codec/layer_plan.hpp"

#include "codec/stages.hpp"
#include "core/error.hpp"

namespace wcodec {

LayerPlan plan_layer(const TensorInfo& tensor, const EncodeOptions& options) {
  const Preset preset = options.preset.empty() ? kDefaultPreset : parse_preset(options.preset);
  if (options.tile.empty() && options.modes.empty() && options.coder.empty() && options.transform.empty()) {
    return {std::string(kPresetNames[static_cast<std::size_t>(preset)]),
            preset_plans(preset, word_format(info(tensor.dtype)))};
  }
  // Prediction and transforms need tiles; without them, rows are as good as any.
  const bool predicts = !options.modes.empty() && options.modes != std::vector<std::string>{"none"};
  StagePlan plan;
  if (!options.transform.empty()) plan.transforms = parse_transform_set(options.transform);
  if (!options.tile.empty() || predicts || !plan.transforms.is_identity())
    plan.tile = parse_tile(canonical_tile(options.tile.empty() ? "16x16" : options.tile));
  plan.modes = parse_mode_set(options.modes.empty() ? std::vector<std::string>{"none"} : options.modes);
  plan.coder = parse_coder(options.coder.empty() ? preset_coder(preset) : options.coder);
  return {to_string(plan), {plan}};
}

}  // namespace wcodec
