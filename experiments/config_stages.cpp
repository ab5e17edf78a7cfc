#include "baselines/registry.hpp"
#include "codec/stages.hpp"
#include "experiments/config.hpp"

namespace wcodec {

StageNames stage_names() {
  static const BaselineRegistry baselines;
  return stage_names(baselines);
}

StageNames stage_names(const BaselineRegistry& baselines) {
  StageNames names;
  names.quantizer = canonical_quantizer;
  names.tile = canonical_tile;
  names.coder = canonical_coder;
  names.modes = canonical_modes;
  names.baseline = [&baselines](sv spec) { return baselines.prepare(spec).spec; };
  names.baseline_identity = [&baselines](sv spec) { return baselines.prepare(spec).identity; };
  return names;
}

}  // namespace wcodec
