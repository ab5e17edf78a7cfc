// The grid of an experiment as combinations of stage specs, and which of its cells a condition meets; for plan*.cpp
// only.
#pragma once

#include "experiments/plan.hpp"

namespace wcodec {

// Indices into config.axes, one an axis: every combination that axes and zip make, in report order.
std::vector<std::array<u32, kAxes>> axis_combinations(const ExperimentConfig& config);

// What a condition can look at.
struct CellContext {
  const CheckpointConfig& checkpoint;
  const TensorInfo& tensor;
  const Cell& cell;
};
bool meets(const std::vector<Condition>& conditions, const CellContext& context);

// A numeric quantizer makes sense for floating-point weights only; `lossless` takes any.
bool applies(const std::string& quantizer, DType dtype);
// An approximation takes words of at most 8 bits: what a numeric quantizer makes, or such a dtype as it is.
bool can_approximate(const std::string& quantizer, DType dtype);

}  // namespace wcodec
