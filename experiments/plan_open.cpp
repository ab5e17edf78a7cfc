#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "experiments/plan.hpp"

namespace wcodec {

std::vector<OpenedCheckpoint> open_checkpoints(const ExperimentConfig& config, const CheckpointOpener& open,
                                               bool in_ci) {
  std::vector<OpenedCheckpoint> opened;
  for (const CheckpointConfig& checkpoint : config.checkpoints) {
    OpenedCheckpoint& entry = opened.emplace_back();
    try {
      entry.checkpoint = open(checkpoint);
    } catch (const Error& error) {
      const bool may_skip = checkpoint.optional && !(in_ci && checkpoint.required_in_ci);
      if (error.kind() != ErrorKind::not_found || !may_skip) {
        throw Error(error.kind(), fmt::format("checkpoint '{}': {}", checkpoint.name, error.what()));
      }
      entry.skipped = error.what();
    }
  }
  if (std::none_of(opened.begin(), opened.end(), [](const OpenedCheckpoint& o) { return o.checkpoint != nullptr; })) {
    throw Error(ErrorKind::not_found,
                fmt::format("none of the experiment's checkpoints is there; the first: {}", opened.front().skipped));
  }
  return opened;
}

}  // namespace wcodec
