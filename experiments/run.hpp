// Runs a planned experiment: what the ledger does not have yet goes to the workers, everything is recorded as it comes,
// and the result files are written from the ledger.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "experiments/config.hpp"
#include "experiments/engine.hpp"
#include "experiments/plan.hpp"
#include "experiments/progress.hpp"
#include "experiments/store.hpp"
#include "experiments/worker.hpp"

namespace wcodec {

// An experiment that is ready to be run.
struct PlannedExperiment {
  ExperimentConfig config;
  std::vector<OpenedCheckpoint> checkpoints;  // one for each of the config's
  Plan plan;
};

struct RunOptions {
  std::string folder;  // output
  std::string config_file;
  std::vector<std::string> worker_command;  // see PoolOptions
  unsigned workers = 1;
  std::optional<EngineOptions> engine;  // other machines, instead of worker processes of this one
  bool fresh = false;                   // forget the ledger
  bool retry_failed = false;            // run failed cells again, too
};

struct RunOutcome {
  u64 cells = 0;     // of the plan, each hash once
  u64 reused = 0;    // finished in an earlier run
  u64 finished = 0;  // in this run
  u64 failed = 0;    // failed, crashed or timed out, in this run or an earlier one
  u64 timed = 0, timings_failed = 0;
  bool interrupted = false;
  double seconds = 0;
  std::vector<std::string> headline;  // the verdict in plain sentences
};

// Throws Error{usage} where the folder belongs to another experiment or another runner is in it, Error{io} where it
// cannot be written; what was recorded until then stays. SIGINT, SIGTERM and SIGHUP end the run in good order:
// `interrupted`, without result files. `worker_command` must lead to worker_main with functions that fit the plan.
RunOutcome run_experiment(const PlannedExperiment& experiment, const RunOptions& options, Progress& progress);

// A diagnostics pass over one (tensor, quantizer, control), for histograms.csv and correlations.csv, as a cell that
// stands in for it: the experiment's first tile, all predictors that any cell of the control tries there, and symbols
// stored raw. What it finds depends on the plan alone, not on which cells are left of a killed run; its bytes are no
// result. `hash` names the pass. One for each triple with a codec cell; none where the experiment asks for none.
std::vector<Cell> diagnostic_cells(const ExperimentConfig& config, const Plan& plan);

// What is left to do of a plan: byte cells and diagnostics. Heavy tasks come first and are divided where that keeps all
// workers busy. `cells` is the number of cells in `tasks` without those of diagnostics, `seconds` the estimate on one
// core.
// Work for an engine is divided as for so many workers, and timed cells share a task as far as this much memory holds,
// whatever machines there are: the units must not depend on the machine that plans them.
inline constexpr unsigned kWorkersElsewhere = 256;
inline constexpr u64 kTimedMemory = u64{4} << 30;
struct PendingWork {
  std::vector<WorkerTask> tasks;
  u64 cells = 0;
  double seconds = 0;
};
// Without a store nothing is recorded yet.
PendingWork pending_cells(const ExperimentConfig& config, const Plan& plan, const Store* store, unsigned workers,
                          bool retry_failed);
// The timed cells of the plan that finished and have no timing yet; without a store, all of them. Cells that share a
// task are timed against each other; a task has as many as `memory_budget` bytes hold.
PendingWork pending_timings(const ExperimentConfig& config, const Plan& plan, const Store* store, u64 memory_budget);

// What result files tell beside the ledger.
struct RunHistory {
  // A timing that failed in this run; it is tried again in the next.
  struct FailedTiming {
    std::string hash, reason;
  };
  std::vector<FailedTiming> failed_timings;
  std::string config_file;
  std::chrono::system_clock::time_point started;
  u64 reused = 0;
};

// Writes every result file of the folder (results/README.md) for the cells of the plan. Returns the headline.
std::vector<std::string> write_results(const std::string& folder, const PlannedExperiment& experiment,
                                       const Store& store, const RunHistory& history);

}  // namespace wcodec
