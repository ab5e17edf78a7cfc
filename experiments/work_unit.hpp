// A work unit: one pass over cells that share a tensor and a quantizer, as one line of JSON that holds all a machine
// needs to run it where it can read the checkpoint. `wcodec plan --units` prints them, `wcodec cell` runs them.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "experiments/worker.hpp"

namespace wcodec {

enum class Pass : u8 { measure, diagnose, time };
constexpr sv to_string(Pass pass) noexcept {
  constexpr sv kNames[] = {"measure", "diagnose", "time"};
  return kNames[static_cast<u8>(pass)];
}

struct WorkUnit {
  std::string name;  // 32 hex digits: content hash of the pass and the cells' hashes
  WorkerTask task;
  double seconds = 0;    // estimate on one core
  double timeout_s = 0;  // of a cell; 0 = no limit
  u64 memory_mib = 0;    // of the worker; 0 = no bound

  Pass pass() const noexcept {
    if (task.timing) return Pass::time;
    return task.diagnostic_tile.empty() ? Pass::measure : Pass::diagnose;
  }
};

WorkUnit make_unit(WorkerTask task, double timeout_s, u64 memory_mib);

// One line with its end.
std::string to_line(const WorkUnit& unit);
// Throws Error{corrupt} saying what is wrong with the line.
WorkUnit unit_from_line(const std::string& line);

// Runs what is left of a unit in a worker process of its own and appends to the fragment at `fragment`: cells that it
// records already are not run again, so the call may be repeated at any time. `command` is the worker's. A cell that
// crashes, hangs or runs out of memory is recorded as such. Throws Error{corrupt} where the checkpoint's tensor is not
// the one that was planned, what open_checkpoint throws, and Error{io}.
struct UnitOutcome {
  u64 reused = 0, finished = 0, failed = 0;
};
UnitOutcome run_unit(const WorkUnit& unit, const std::string& fragment, const std::vector<std::string>& command);

}  // namespace wcodec
