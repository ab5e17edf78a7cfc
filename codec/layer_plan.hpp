// How a tensor is coded: the one place where stages are chosen for it.
#pragma once

#include <string>

#include "codec/checkpoint_codec.hpp"
#include "codec/tensor_codec.hpp"
#include "core/tensor.hpp"

namespace wcodec {

struct StagePlan {
  TileShape tile;
  std::vector<PredictorChoice> modes;
  CoderChoice coder;
};

// `tensor` is a plane as it is coded: elements of GGUF codes, of nibbles, or of the file. Throws Error{usage} for what
// is wrong with the options.
StagePlan plan_layer(const TensorInfo& tensor, const EncodeOptions& options);

// "16x16 none rans:tables=row-col-scale,contexts=64": for people, in the container and in `wcodec info`.
std::string to_string(const StagePlan& plan);

}  // namespace wcodec
