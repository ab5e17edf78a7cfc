// Which tensor each reference of an experiment means for each tensor, and why there is none where there is none; for
// plan.cpp only.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <unordered_map>

#include "experiments/plan.hpp"
#include "experiments/reference.hpp"

namespace wcodec {

class ReferenceFinder {
 public:
  // Keeps both arguments.
  ReferenceFinder(const ExperimentConfig& config, std::span<const OpenedCheckpoint> checkpoints);

  // The place of a tensor's reference, without its hash, and its description; nothing where it has none that this
  // quantizer takes. What is found missing is counted once a tensor.
  struct Found {
    ReferencePlace place;
    const TensorInfo* info;
  };
  std::optional<Found> find(const std::string& reference, const PlannedTensor& tensor, const std::string& quantizer);

  // One for each reference that some tensors lack. Throws Error{config} where a reference is one of no tensor at all
  // although its checkpoint is there.
  std::vector<std::string> notes() const;

 private:
  struct Missing {
    std::string why, example;
    u64 tensors = 0;
  };
  // Empty if `found` is good.
  std::string why_not(const ReferenceChoice& choice, const PlannedTensor& tensor, const std::string& quantizer,
                      Found& found) const;
  std::optional<std::size_t> tensor_named(std::size_t checkpoint, const std::string& name) const;

  const ExperimentConfig& config_;
  std::span<const OpenedCheckpoint> checkpoints_;
  std::vector<std::unordered_map<std::string, std::size_t>> names_;               // of each checkpoint's tensors
  std::map<std::string, std::map<std::string, Missing>> missing_;                 // by reference, then reason
  std::map<std::string, u64> found_;                                              // by reference
  std::map<std::string, std::set<std::pair<std::size_t, std::size_t>>> counted_;  // tensors, by reference
};

}  // namespace wcodec
