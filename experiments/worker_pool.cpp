#include "experiments/worker_pool.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <list>
#include <memory>
#include <optional>

#include "core/error.hpp"
#include "experiments/store_json.hpp"
#include "experiments/worker_process.hpp"
#include "experiments/worker_protocol.hpp"

namespace wcodec {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

// A task with what is left of it. Its cells shrink as they are done; `attempts` counts the starts without a finished
// cell in between.
struct Job {
  WorkerTask task;
  int setbacks = 0;
};

struct Slot {
  std::unique_ptr<WorkerProcess> process;
  bool ready = false, waits_for_ack = false;
  std::optional<Job> job;
  std::vector<bool> over;  // by cell of the job: recorded
  std::optional<std::size_t> cell;
  std::size_t finished = 0;
  Clock::time_point since;  // the cell, or the preparation, began
  std::string last_words;
};

class Pool {
 public:
  Pool(std::vector<WorkerTask> tasks, const PoolOptions& options, const PoolEvents& events)
      : options_(options), events_(events), slots_(std::max(1u, options.workers)) {
    for (WorkerTask& task : tasks) {
      if (!task.cells.empty()) waiting_.push_back({std::move(task), 0});
    }
  }

  bool run() {
    while (!waiting_.empty() || running() != 0) {
      if (!events_.go_on()) return false;
      for (Slot& slot : slots_) assign(slot);
      wait();
      for (Slot& slot : slots_) listen(slot);
      for (Slot& slot : slots_) enforce_time(slot);
      events_.commit();
      for (Slot& slot : slots_) acknowledge(slot);
    }
    return true;
  }

 private:
  std::size_t running() const {
    return static_cast<std::size_t>(std::count_if(slots_.begin(), slots_.end(), [](const Slot& s) { return !!s.job; }));
  }

  // Gives an idle slot the first task that fits beside what runs.
  void assign(Slot& slot) {
    if (slot.job || waiting_.empty()) return;
    u64 used = 0;
    for (const Slot& other : slots_) used += other.job ? other.job->task.memory_bytes : 0;
    const auto fits = [&](const Job& job) {
      return options_.memory_budget == 0 || used == 0 || used + job.task.memory_bytes <= options_.memory_budget;
    };
    const auto next = std::find_if(waiting_.begin(), waiting_.end(), fits);
    if (next == waiting_.end()) return;
    slot.job = std::move(*next);
    waiting_.erase(next);
    slot.over.assign(slot.job->task.cells.size(), false);
    slot.cell.reset();
    slot.finished = 0;
    slot.since = Clock::now();
    if (!slot.process) {
      slot.process = std::make_unique<WorkerProcess>(options_.command);
      slot.ready = false;
      slot.last_words.clear();
    }
    // A worker that is gone already is noticed when its pipe is read.
    slot.process->write_line(to_line(to_json(slot.job->task)));
  }

  void wait() {
    std::vector<pollfd> descriptors;
    for (const Slot& slot : slots_) {
      if (!slot.process) continue;
      descriptors.push_back({slot.process->results(), POLLIN, 0});
      descriptors.push_back({slot.process->messages(), POLLIN, 0});
    }
    ::poll(descriptors.data(), descriptors.size(), 100);
  }

  void listen(Slot& slot) {
    if (!slot.process) return;
    listen_to_messages(slot);
    const bool open = slot.process->result_lines.fill(slot.process->results());
    for (std::string line; slot.process && slot.process->result_lines.next(line);) handle(slot, json::parse(line));
    if (!open && slot.process) lose(slot, CellStatus::crashed);
  }

  void listen_to_messages(Slot& slot) {
    slot.process->message_lines.fill(slot.process->messages());
    for (std::string line; slot.process->message_lines.next(line);) {
      if (line.empty()) continue;
      slot.last_words = printable(line);
      events_.said(slot.last_words);
    }
  }

  void handle(Slot& slot, const json& message) {
    const auto has = [&](const char* key) { return message.contains(key); };
    if (has("ready")) {
      slot.ready = true;
    } else if (has("broken")) {
      lose(slot, CellStatus::failed, message["broken"].get<std::string>());
    } else if (has("finished")) {
      // A measure function that passes over a cell must not leave it without a record.
      give_up(slot, CellStatus::failed, "the worker reported nothing about this cell");
      slot.job.reset();
    } else if (has("diagnostics")) {
      events_.diagnostics(slot.job->task, diagnostics_from_json(message["diagnostics"]));
    } else if (has("begin")) {
      slot.cell = message["begin"].get<std::size_t>();
      slot.since = Clock::now();
    } else if (has("done")) {
      events_.done(slot.job->task, settle(slot, message["done"]), cell_result_from_json(message["result"]));
    } else if (has("timed")) {
      settle(slot, message["timed"]);
      events_.timed(slot.job->task, timing_from_json(message["timing"]));
    } else if (has("failed")) {
      const std::size_t cell = settle(slot, message["failed"]);
      const std::string reason = message["reason"].get<std::string>();
      const CellStatus status = reason.starts_with(kUnavailable) ? CellStatus::unavailable : CellStatus::failed;
      events_.failed(slot.job->task, cell, status, reason);
    }
  }

  std::size_t settle(Slot& slot, const json& index) {
    const auto cell = index.get<std::size_t>();
    slot.over.at(cell) = true;
    slot.cell.reset();
    slot.since = Clock::now();
    slot.waits_for_ack = true;
    ++slot.finished;
    return cell;
  }

  // Records every cell of the slot's task that has no record yet.
  void give_up(Slot& slot, CellStatus status, const std::string& reason) {
    for (std::size_t i = 0; i < slot.over.size(); ++i) {
      if (!slot.over[i]) events_.failed(slot.job->task, i, status, reason);
      slot.over[i] = true;
    }
  }

  // The slot's worker is of no more use. `reason` is empty where only its end tells it.
  void lose(Slot& slot, CellStatus status, std::string reason = {}) {
    listen_to_messages(slot);
    const std::string end = slot.process->end();
    const bool started = slot.ready;
    listen_to_messages(slot);
    slot.process.reset();
    slot.waits_for_ack = false;
    if (reason.empty()) {
      reason = "the worker was " + end;
      if (end.rfind("left", 0) == 0) reason = "the worker " + end;
      if (!slot.last_words.empty()) reason += ": " + slot.last_words.substr(0, 200);
    }
    if (!started) {
      throw Error(ErrorKind::internal, fmt::format("no worker process can be started: {}", reason));
    }
    if (!slot.job) return;
    if (slot.cell) {
      slot.over.at(*slot.cell) = true;
      events_.failed(slot.job->task, *slot.cell, status, reason);
      slot.job->setbacks = 0;
    } else if (slot.finished != 0) {
      slot.job->setbacks = 0;
    } else if (status != CellStatus::crashed || ++slot.job->setbacks > 1) {
      give_up(slot, status, reason);
    }
    requeue(slot);
  }

  // What is left of the task goes to the front: its tensor may still be in the page cache.
  void requeue(Slot& slot) {
    Job job = std::move(*slot.job);
    slot.job.reset();
    std::vector<Cell> left;
    for (std::size_t i = 0; i < job.task.cells.size(); ++i) {
      if (!slot.over[i]) left.push_back(std::move(job.task.cells[i]));
    }
    job.task.cells = std::move(left);
    if (!job.task.cells.empty()) waiting_.push_front(std::move(job));
  }

  void enforce_time(Slot& slot) {
    if (!slot.job || options_.timeout_s <= 0) return;
    const double taken = std::chrono::duration<double>(Clock::now() - slot.since).count();
    if (taken <= options_.timeout_s) return;
    slot.ready = true;  // too slow is not the same as unable to start
    lose(slot, CellStatus::timeout,
         fmt::format("{} than {} s", slot.cell ? "took longer" : "preparing the tensor took longer",
                     options_.timeout_s));
  }

  void acknowledge(Slot& slot) {
    if (!slot.process || !slot.waits_for_ack) return;
    slot.waits_for_ack = false;
    slot.process->write_line("{\"ack\": true}\n");
  }

  const PoolOptions& options_;
  const PoolEvents& events_;
  std::list<Job> waiting_;
  std::vector<Slot> slots_;
};

// A worker that dies while it is written to is an error of that write, not the end of this process.
class PipeScope {
 public:
  PipeScope() {
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGPIPE, &ignore, &before_);
  }
  ~PipeScope() { ::sigaction(SIGPIPE, &before_, nullptr); }
  PipeScope(const PipeScope&) = delete;
  PipeScope& operator=(const PipeScope&) = delete;

 private:
  struct sigaction before_ {};
};

}  // namespace

bool run_tasks(std::vector<WorkerTask> tasks, const PoolOptions& options, const PoolEvents& events) {
  const PipeScope pipes;
  return Pool(std::move(tasks), options, events).run();
}

}  // namespace wcodec
