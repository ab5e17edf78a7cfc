// How a layer of a checkpoint is coded: what the options say, or the plans of a preset.
#pragma once

#include <string>

#include "codec/checkpoint_codec.hpp"
#include "codec/presets.hpp"
#include "core/tensor.hpp"

namespace wcodec {

struct LayerPlan {
  std::string name;  // "ratio", "16x16 none rans:tables=tensor": for people, in the container and in `wcodec info`
  std::vector<StagePlan> plans;  // the smallest is taken, part by part
};

// `tensor` is a plane as it is coded: elements of GGUF codes, of nibbles, or of the file. Throws Error{usage} for what
// is wrong with the options.
LayerPlan plan_layer(const TensorInfo& tensor, const EncodeOptions& options);

}  // namespace wcodec
