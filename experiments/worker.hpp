// A worker process: takes tasks as JSON lines on standard input and streams what it finds as JSON lines on a descriptor
// of its own, so that nothing a library prints can be taken for a result. A crash, a hang or an exhausted memory costs
// one cell: the pool (worker_pool.hpp) sees it, records it and starts another worker.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "experiments/cell.hpp"
#include "experiments/measure.hpp"
#include "experiments/store.hpp"
#include "experiments/timing.hpp"

namespace wcodec {

// Where a machine finds a checkpoint.
struct CheckpointSource {
  std::string address;                       // for open_checkpoint
  std::map<std::string, std::string> views;  // see OpenOptions
};

// Cells that share a tensor and a quantizer. With `timing`, they are timed; without, measured.
struct WorkerTask {
  std::string address;                       // of the checkpoint, for open_checkpoint
  std::map<std::string, std::string> views;  // see OpenOptions
  std::size_t tensor = 0;
  std::string quantizer;
  std::string diagnostic_tile;  // empty: no histograms and correlations
  std::vector<Cell> cells;
  std::optional<TimingOptions> timing;
  std::map<std::size_t, CheckpointSource> references;  // checkpoints that cells are predicted from, by their number
  u64 weights = 0;                                     // of the tensor: what a cell costs, in the estimates
  u64 memory_bytes = 0;                                // what running it may take
  std::string name;                                    // of the tensor, for messages; not sent
  std::string shard;  // tasks of equal shard read the same file; not sent to workers of this machine
};

// What a worker does with a task. Injected, so that the protocol is tested without a codec.
struct WorkerFunctions {
  std::function<void(const WorkerTask&, const MeasureCallbacks&)> measure;
  std::function<void(const WorkerTask&, const TimingCallbacks&)> time;
};

// The real functions: open_checkpoint (the last few are kept open), measure_cells and make_timing_subject.
WorkerFunctions checkpoint_functions();

inline constexpr int kResultDescriptor = 3;

// Serves tasks until standard input ends. `memory_mib` > 0 bounds the address space. Returns an exit status.
int worker_main(const WorkerFunctions& functions, u64 memory_mib);

}  // namespace wcodec
