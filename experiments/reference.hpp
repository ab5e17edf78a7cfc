// Axis `reference`: a tensor is predicted from another one before anything else happens to it. What that is called in
// YAML, and which tensor it means. How the prediction is made: reference_coding.hpp.
//
//   none                            the tensor by itself
//   previous-layer:fit=scalar       the tensor of the same name in the layer before
//   checkpoint:fit=delta,from=NAME  the tensor of the same name in another of the experiment's checkpoints
//
// A layer's number is the first part of a name, between dots, that is digits alone: "model.layers.7.mlp.up_proj.weight"
// has "model.layers.6.mlp.up_proj.weight" before it. A number behind it (an expert's) stays.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "codec/stages.hpp"
#include "core/types.hpp"

namespace wcodec {

enum class ReferenceSource : u8 { none, previous_layer, checkpoint };

// How the reference becomes a prediction; values are written in side information.
enum class ReferenceFit : u8 {
  delta = 0,     // the reference as it is; residual = difference modulo 2^b of order-preserving words
  exclusive_or,  // the reference as it is; residual = exclusive or of the words
  scalar,        // a · reference, least squares
  affine,        // a · reference + c, least squares
  permuted       // a · reference with its rows in the order that correlates best
};

struct ReferenceChoice {
  ReferenceSource source = ReferenceSource::none;
  ReferenceFit fit = ReferenceFit::scalar;
  std::string from = {};  // name of a checkpoint; of ReferenceSource::checkpoint only
};

// Throws Error{usage}, with the nearest name.
ReferenceChoice parse_reference(sv text);
// Canonical; the fit is always said.
std::string to_string(const ReferenceChoice& choice);
sv to_string(ReferenceFit fit) noexcept;

// The name of the same tensor one layer before; nothing in the first layer and where the name has no layer.
std::optional<std::string> previous_layer_name(sv tensor);

// Matching rows takes time and memory in the square of their number.
inline constexpr i64 kMaxPermutedRows = 4096;

// Rows of `wcodec list`.
std::vector<StageInfo> list_references();

}  // namespace wcodec
