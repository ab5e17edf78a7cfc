#include "experiments/run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <unordered_set>

#include "core/error.hpp"
#include "experiments/lock.hpp"
#include "experiments/results.hpp"
#include "experiments/worker_pool.hpp"

namespace wcodec {
namespace {

namespace fs = std::filesystem;

// More failures than this are only counted on the screen; failures.csv has them all.
constexpr u64 kFailuresShown = 20;

volatile sig_atomic_t g_signalled = 0;

// For the time of a run: signals that end a program end the run in good order, and that of a file-size limit becomes an
// error of the call that met it.
class SignalScope {
 public:
  SignalScope() {
    g_signalled = 0;
    struct sigaction note {};
    note.sa_handler = [](int) { g_signalled = 1; };
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
      ::sigaction(kSignals[i], i < 3 ? &note : &ignore, &before_[i]);
      // Started in the background or under nohup, the caller wants it so.
      if (before_[i].sa_handler == SIG_IGN) ::sigaction(kSignals[i], &ignore, nullptr);
    }
  }
  ~SignalScope() {
    for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &before_[i], nullptr);
  }
  SignalScope(const SignalScope&) = delete;
  SignalScope& operator=(const SignalScope&) = delete;

 private:
  static constexpr std::array<int, 4> kSignals = {SIGINT, SIGTERM, SIGHUP, SIGXFSZ};
  std::array<struct sigaction, 4> before_{};
};

// Memory that the system could still give, in bytes; 0 where it does not say.
u64 available_memory() {
  u64 available = 0;
  std::ifstream machine("/proc/meminfo");
  for (std::string word; machine >> word;) {
    if (u64 kib = 0; word == "MemAvailable:" && machine >> kib) available = kib * 1024;
  }
  // A container may be given less than its machine has.
  std::ifstream limit("/sys/fs/cgroup/memory.max"), use("/sys/fs/cgroup/memory.current");
  if (u64 most = 0, used = 0; limit >> most && use >> used && used < most) {
    available = available == 0 ? most - used : std::min(available, most - used);
  }
  return available;
}

void forget_ledger(const std::string& folder) {
  for (const char* name : {"ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm", "ledger.sqlite-journal"}) {
    std::error_code failure;
    fs::remove(fs::path(folder) / name, failure);
    if (failure) {
      throw Error(ErrorKind::io,
                  fmt::format("{}/{} cannot be removed ({})", printable(folder), name, failure.message()));
    }
  }
}

// Where the folder holds something already: is it this experiment?
void greet(const ExperimentConfig& config, const RunOptions& options, Store& store, Progress& progress) {
  const std::string file = fs::path(options.config_file).filename().string();
  const std::string hash = config_hash(config);
  if (const auto experiment = store.meta("experiment"); experiment && *experiment != config.experiment) {
    throw Error(ErrorKind::usage,
                fmt::format("{} holds the results of experiment '{}', not of '{}'; choose another --out, or --fresh to "
                            "replace them",
                            printable(options.folder), printable(*experiment), printable(config.experiment)));
  }
  if (const auto before = store.meta("config_hash"); before && *before != hash) {
    const std::string from = store.meta("config_file").value_or(file);
    progress.alarm(fmt::format(
        "wcodec: note: {} was last run with {}; finished cells that both ask for are reused, and the result files will "
        "hold those of {} only",
        printable(options.folder),
        from == file ? fmt::format("an earlier version of {}", printable(file)) : "another config, " + printable(from),
        printable(file)));
  }
  store.set_meta("experiment", config.experiment);
  store.set_meta("config_hash", hash);
  store.set_meta("config_file", file);
  store.commit();
}

std::string describe(const WorkerTask& task, const Cell& cell) {
  std::string text = fmt::format("{} [{}", printable(task.name), cell.quantizer);
  for (const std::string* part : {&cell.tile, &cell.modes, &cell.coder}) {
    if (!part->empty()) text += " " + *part;
  }
  text += front_stages(cell.order, cell.approx, cell.reference);
  if (cell.transform != "identity") text += " " + cell.transform;
  if (cell.control != "original") text += ", " + cell.control;
  return text + "]";
}

class Runner {
 public:
  Runner(const ExperimentConfig& config, const RunOptions& options, Store& store, Progress& progress)
      : config_(config), options_(options), store_(store), progress_(progress) {
    events_.done = [this](const WorkerTask& task, std::size_t index, const CellResult& result) {
      const Cell& cell = task.cells[index];
      if (result.hash != cell.hash) throw Error(ErrorKind::internal, "a worker answered for another cell");
      const bool counts = task.diagnostic_tile.empty();
      if (counts) store_.record({cell.hash, CellStatus::finished, result, {}});
      finished += counts;
      progress_.advance(counts, false, estimated_seconds(cell, task.weights));
    };
    events_.failed = [this](const WorkerTask& task, std::size_t index, CellStatus status, const std::string& reason) {
      const Cell& cell = task.cells[index];
      const bool counts = task.diagnostic_tile.empty();
      if (task.timing) {
        failed_timings.push_back({cell.hash, "timing: " + reason});
      } else if (counts) {
        store_.record({cell.hash, status, {}, reason});
      }
      progress_.advance(counts, true, estimated_seconds(cell, task.weights) * passes(task));
      if (++failures_ <= kFailuresShown) {
        progress_.alarm(fmt::format("wcodec: {}: {}: {}", to_string(status), describe(task, cell), printable(reason)));
      } else if (failures_ == kFailuresShown + 1) {
        progress_.alarm("wcodec: further failures are only counted here; failures.csv will list all");
      }
    };
    events_.diagnostics = [this](const WorkerTask& task, const Diagnostics& found) {
      for (const Cell& cell : task.cells) {
        if (cell.control == found.control) store_.record_diagnostics(cell.hash, found);
      }
    };
    events_.timed = [this](const WorkerTask& task, const TimingRecord& record) {
      store_.record_timing(record);
      ++timed;
      for (const Cell& cell : task.cells) {
        if (cell.hash == record.hash) progress_.advance(1, false, estimated_seconds(cell, task.weights) * passes(task));
      }
    };
    events_.commit = [this] { store_.commit(); };
    events_.said = [this](const std::string& line) { progress_.note("worker: " + line); };
    events_.go_on = [this] {
      progress_.draw();
      return g_signalled == 0;
    };
  }

  // False: interrupted.
  bool run(PendingWork work, const std::string& what, unsigned workers, double timeout_s) {
    if (work.tasks.empty()) return true;
    progress_.begin(what, work.cells, work.seconds);
    if (options_.engine) return run_elsewhere(std::move(work));
    PoolOptions pool;
    pool.command = options_.worker_command;
    pool.workers = workers;
    pool.timeout_s = timeout_s;
    pool.memory_budget = memory_budget();
    const bool whole = run_tasks(std::move(work.tasks), pool, events_);
    progress_.end();
    return whole;
  }

  // Leaves a part of the memory for the page cache that the checkpoints are read through.
  static u64 memory_budget() { return available_memory() / 10 * 7; }

  u64 finished = 0, timed = 0;
  std::vector<RunHistory::FailedTiming> failed_timings;

 private:
  double passes(const WorkerTask& task) const {
    return task.timing ? config_.timing->repeats + config_.timing->warmup : 1.0;
  }

  bool run_elsewhere(PendingWork work) {
    std::vector<WorkUnit> units;
    for (WorkerTask& task : work.tasks) {
      units.push_back(make_unit(std::move(task), config_.limits.timeout_s, config_.limits.memory_mib));
    }
    PoolEvents events = events_;
    events.said = [this](const std::string& line) { progress_.note("engine: " + line); };
    const bool whole = run_units(units, *options_.engine, events);
    progress_.end();
    return whole;
  }

  const ExperimentConfig& config_;
  const RunOptions& options_;
  Store& store_;
  Progress& progress_;
  PoolEvents events_;
  u64 failures_ = 0;
};

}  // namespace

RunOutcome run_experiment(const PlannedExperiment& experiment, const RunOptions& options, Progress& progress) {
  const ExperimentConfig& config = experiment.config;
  const Plan& plan = experiment.plan;
  const auto started = std::chrono::system_clock::now();
  const auto start = std::chrono::steady_clock::now();
  const SignalScope signals;
  const FolderLock lock(options.folder);
  if (options.fresh) forget_ledger(options.folder);
  Store store(options.folder);
  for (const std::string& note : store.notes()) progress.alarm("wcodec: note: " + note);
  greet(config, options, store, progress);
  if (options.engine) {
    if (const u64 merged = merge_fragments(options.engine->fragments, store); merged != 0) {
      progress.note(fmt::format("{} records of a run that was ended came from its fragments", merged));
    }
  }

  RunOutcome outcome;
  std::unordered_set<std::string> hashes;
  u64 failed_before = 0;
  for (const Cell& cell : plan.cells) {
    if (!hashes.insert(cell.hash).second) continue;
    ++outcome.cells;
    const auto it = store.cells().find(cell.hash);
    if (it == store.cells().end()) continue;
    if (it->second.status == CellStatus::finished) ++outcome.reused;
    failed_before += it->second.status != CellStatus::finished && it->second.status != CellStatus::unavailable;
  }
  if (outcome.reused != 0) {
    progress.note(fmt::format("{} of {} cells are in the ledger already", outcome.reused, outcome.cells));
  }
  if (failed_before != 0 && !options.retry_failed) {
    progress.alarm(
        fmt::format("wcodec: note: {} cells failed in an earlier run and are not run again; --retry-failed "
                    "runs them",
                    failed_before));
  }

  Runner runner(config, options, store, progress);
  bool whole = runner.run(pending_cells(config, plan, &store, options.workers, options.retry_failed), "measured",
                          options.workers, config.limits.timeout_s);
  // Nothing may run beside a timing: one worker. Its limit counts between two passes, as for a cell.
  if (whole) {
    const u64 memory = options.engine ? kTimedMemory : Runner::memory_budget();
    whole = runner.run(pending_timings(config, plan, &store, memory), "timed", 1, config.limits.timeout_s);
  }
  store.finish();

  outcome.interrupted = !whole;
  outcome.finished = runner.finished;
  outcome.timed = runner.timed;
  outcome.timings_failed = runner.failed_timings.size();
  for (const std::string& hash : hashes) {
    const auto it = store.cells().find(hash);
    outcome.failed += it != store.cells().end() && it->second.status != CellStatus::finished;
  }
  if (whole) {
    outcome.headline = write_results(options.folder, experiment, store,
                                     {std::move(runner.failed_timings), options.config_file, started, outcome.reused});
  }
  outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return outcome;
}

}  // namespace wcodec
