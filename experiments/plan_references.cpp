#include "experiments/plan_references.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "experiments/plan_grid.hpp"

namespace wcodec {

ReferenceFinder::ReferenceFinder(const ExperimentConfig& config, std::span<const OpenedCheckpoint> checkpoints)
    : config_(config), checkpoints_(checkpoints), names_(checkpoints.size()) {
  const auto& references = config.axis(Axis::reference);
  if (references == std::vector<std::string>{"none"}) return;
  for (const std::string& reference : references) {
    if (reference != "none") found_[reference] = 0;
  }
  for (std::size_t c = 0; c < checkpoints.size(); ++c) {
    if (checkpoints[c].checkpoint == nullptr) continue;
    const std::vector<TensorInfo>& tensors = checkpoints[c].checkpoint->tensors();
    for (std::size_t t = 0; t < tensors.size(); ++t) names_[c].emplace(tensors[t].name, t);
  }
}

std::optional<ReferenceFinder::Found> ReferenceFinder::find(const std::string& reference, const PlannedTensor& tensor,
                                                            const std::string& quantizer) {
  Found found{};
  const std::string why = why_not(parse_reference(reference), tensor, quantizer, found);
  if (why.empty()) {
    ++found_[reference];
    return found;
  }
  if (counted_[reference].emplace(tensor.checkpoint, tensor.tensor).second) {
    Missing& missing = missing_[reference][why];
    if (missing.tensors++ == 0) {
      missing.example = fmt::format("{}: {}", config_.checkpoints[tensor.checkpoint].name, printable(tensor.info.name));
    }
  }
  return std::nullopt;
}

std::optional<std::size_t> ReferenceFinder::tensor_named(std::size_t checkpoint, const std::string& name) const {
  const auto it = names_[checkpoint].find(name);
  return it == names_[checkpoint].end() ? std::nullopt : std::optional(it->second);
}

std::string ReferenceFinder::why_not(const ReferenceChoice& choice, const PlannedTensor& tensor,
                                     const std::string& quantizer, Found& found) const {
  std::size_t checkpoint = tensor.checkpoint;
  std::string name = tensor.info.name;
  if (choice.source == ReferenceSource::checkpoint) {
    const auto it = std::find_if(config_.checkpoints.begin(), config_.checkpoints.end(),
                                 [&](const CheckpointConfig& other) { return other.name == choice.from; });
    checkpoint = static_cast<std::size_t>(it - config_.checkpoints.begin());
    if (checkpoint == config_.checkpoints.size() || checkpoints_[checkpoint].checkpoint == nullptr) {
      return "the checkpoint to predict from is not there";
    }
    if (checkpoint == tensor.checkpoint) return "a tensor is no reference of itself";
  } else {
    const auto before = previous_layer_name(name);
    if (!before) return "no layer before it";
    name = *before;
  }
  const auto index = tensor_named(checkpoint, name);
  if (!index) return "no tensor of the name";
  const TensorInfo& info = checkpoints_[checkpoint].checkpoint->tensors()[*index];
  if (info.rows != tensor.info.rows || info.cols != tensor.info.cols) return "the reference has another shape";
  const bool are_weights = is_quantizable(info.dtype) && is_quantizable(tensor.info.dtype);
  if (!applies(quantizer, info.dtype) || (info.dtype != tensor.info.dtype && !are_weights)) {
    return "the reference has a type that this quantizer cannot compare it with";
  }
  if (choice.fit == ReferenceFit::permuted && info.rows > kMaxPermutedRows) {
    return fmt::format("more than {} rows to match", kMaxPermutedRows);
  }
  found = {{checkpoint, *index, {}, std::string(wcodec::info(info.dtype).name)}, &info};
  return {};
}

std::vector<std::string> ReferenceFinder::notes() const {
  std::vector<std::string> notes;
  for (const auto& [reference, reasons] : missing_) {
    std::string text;
    for (const auto& [why, missing] : reasons) {
      text += fmt::format("{}{} for {} tensor{} (such as {})", text.empty() ? "" : "; ", why, missing.tensors,
                          missing.tensors == 1 ? "" : "s", missing.example);
    }
    const auto found = found_.find(reference);
    const bool is_absent = reasons.size() == 1 && reasons.begin()->first.starts_with("the checkpoint");
    if (found->second == 0 && !is_absent) {
      throw Error(ErrorKind::config, fmt::format("reference '{}' is one of no tensor at all: {}", reference, text));
    }
    notes.push_back(fmt::format("reference '{}' is left out where there is none: {}", reference, text));
  }
  return notes;
}

}  // namespace wcodec
