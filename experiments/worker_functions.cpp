#include <memory>

#include "core/sources/source.hpp"
#include "experiments/worker.hpp"

namespace wcodec {

WorkerFunctions checkpoint_functions() {
  struct Opened {
    std::string address;
    std::map<std::string, std::string> views;
    std::unique_ptr<Checkpoint> checkpoint;
  };
  const auto last = std::make_shared<Opened>();
  const auto open = [last](const WorkerTask& task) -> const Checkpoint& {
    if (!last->checkpoint || last->address != task.address || last->views != task.views) {
      OpenOptions options;
      options.views = task.views;
      *last = {task.address, task.views, open_checkpoint(task.address, options)};
    }
    return *last->checkpoint;
  };
  WorkerFunctions functions;
  functions.measure = [open](const WorkerTask& task, const MeasureCallbacks& callbacks) {
    measure_cells(open(task), task.tensor, task.quantizer, task.cells, task.diagnostic_tile, callbacks);
  };
  functions.time = [open](const WorkerTask& task, const TimingCallbacks& callbacks) {
    const Checkpoint& checkpoint = open(task);
    time_interleaved(
        task.cells.size(),
        [&](std::size_t cell) { return make_timing_subject(checkpoint, task.tensor, task.cells[cell]); }, *task.timing,
        callbacks);
  };
  return functions;
}

}  // namespace wcodec
