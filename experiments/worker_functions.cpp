#include <algorithm>
#include <list>
#include <memory>

#include "core/sources/source.hpp"
#include "experiments/worker.hpp"

namespace wcodec {
namespace {

// Opened checkpoints, the last few of them: a task reads its own and those of its references.
class OpenCheckpoints {
 public:
  const Checkpoint& at(const std::string& address, const std::map<std::string, std::string>& views) {
    const auto known = std::find_if(kept_.begin(), kept_.end(),
                                    [&](const Kept& kept) { return kept.address == address && kept.views == views; });
    if (known != kept_.end()) {
      kept_.splice(kept_.begin(), kept_, known);
    } else {
      OpenOptions options;
      options.views = views;
      kept_.push_front({address, views, open_checkpoint(address, options)});
    }
    return *kept_.front().checkpoint;
  }
  // Between tasks: what a task holds stays open while it runs.
  void close_all_but_a_few() {
    if (kept_.size() > kMost) kept_.resize(kMost);
  }

 private:
  static constexpr std::size_t kMost = 4;
  struct Kept {
    std::string address;
    std::map<std::string, std::string> views;
    std::unique_ptr<Checkpoint> checkpoint;
  };
  std::list<Kept> kept_;
};

}  // namespace

WorkerFunctions checkpoint_functions() {
  const auto opened = std::make_shared<OpenCheckpoints>();
  WorkerFunctions functions;
  functions.measure = [opened](const WorkerTask& task, const MeasureCallbacks& callbacks) {
    opened->close_all_but_a_few();
    const Checkpoint& own = opened->at(task.address, task.views);
    const auto reference = [&](std::size_t checkpoint) -> const Checkpoint& {
      const auto it = task.references.find(checkpoint);
      return it == task.references.end() ? own : opened->at(it->second.address, it->second.views);
    };
    measure_cells(own, task.tensor, task.quantizer, task.cells, task.diagnostic_tile, callbacks, reference);
  };
  functions.time = [opened](const WorkerTask& task, const TimingCallbacks& callbacks) {
    opened->close_all_but_a_few();
    const Checkpoint& checkpoint = opened->at(task.address, task.views);
    time_interleaved(
        task.cells.size(),
        [&](std::size_t cell) { return make_timing_subject(checkpoint, task.tensor, task.cells[cell]); }, *task.timing,
        callbacks);
  };
  return functions;
}

}  // namespace wcodec
