// Runs tasks in worker processes and survives everything that happens to them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "experiments/worker.hpp"

namespace wcodec {

struct PoolOptions {
  std::vector<std::string> command;  // program and arguments that end up in worker_main
  unsigned workers = 1;
  double timeout_s = 0;   // longest time a cell, or the preparation before it, may take; 0 = no limit
  u64 memory_budget = 0;  // tasks run side by side only while the sum of their memory_bytes is below; 0 = no limit
};

struct PoolEvents {
  std::function<void(const WorkerTask&, std::size_t cell, const CellResult&)> done;
  std::function<void(const WorkerTask&, std::size_t cell, CellStatus, const std::string& reason)> failed;
  std::function<void(const WorkerTask&, const Diagnostics&)> diagnostics;
  std::function<void(const WorkerTask&, const TimingRecord&)> timed;
  // Everything told since the last call must be safe when this returns: only then do the workers go on. So a killed
  // driver loses no more than the cell that each worker is on.
  std::function<void()> commit;
  std::function<void(const std::string& line)> said;  // a line that a worker wrote to its standard error or output
  std::function<bool()> go_on;                        // asked about ten times a second; false stops all workers
};

// Runs `tasks` in the given order as far as the memory budget allows. Each cell ends in exactly one of done, timed and
// failed: a worker that dies or exceeds the time is replaced, the cell it was on is recorded, the others go on. What
// dies between cells is tried once more and then costs the cells that are left of its task.
// Returns false when `go_on` ended it. An exception out of an event kills the workers and passes through. Throws
// Error{internal} where a worker cannot be started at all.
bool run_tasks(std::vector<WorkerTask> tasks, const PoolOptions& options, const PoolEvents& events);

}  // namespace wcodec
