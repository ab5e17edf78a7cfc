#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "experiments/run.hpp"

namespace wcodec {
namespace {

// Below this a division of a task would cost more in starting over than it gains.
constexpr double kWorthDividing = 2.0;
constexpr u64 kTimedBytesPerWeight = 8;  // symbols, streams both ways and the codec's own buffers

double estimate(const WorkerTask& task) {
  double seconds = 0;
  for (const Cell& cell : task.cells) seconds += estimated_seconds(cell, task.weights);
  return seconds;
}

WorkerTask make_task(const ExperimentConfig& config, const Plan& plan, const Cell& cell) {
  const PlannedTensor& tensor = plan.tensor_of(cell);
  WorkerTask task;
  task.address = config.checkpoints[cell.checkpoint].address;
  task.views = config.checkpoints[cell.checkpoint].views;
  task.tensor = cell.tensor;
  task.quantizer = cell.quantizer;
  task.weights = tensor.info.weights();
  task.name = config.checkpoints[cell.checkpoint].name + ": " + tensor.info.name;
  task.shard = fmt::format("{}#{}", task.address, tensor.info.file);
  return task;
}

// A task of cells whose references lie elsewhere says where.
void add_cell(const ExperimentConfig& config, const Cell& cell, WorkerTask& task) {
  task.cells.push_back(cell);
  const std::size_t from = cell.reference_place.checkpoint;
  if (cell.reference == "none" || from == cell.checkpoint) return;
  task.references[from] = {config.checkpoints[from].address, config.checkpoints[from].views};
}

bool is_over(const Store* store, const Cell& cell, bool retry_failed) {
  if (store == nullptr) return false;
  const auto it = store->cells().find(cell.hash);
  if (it == store->cells().end() || it->second.status == CellStatus::unavailable) return false;
  return it->second.status == CellStatus::finished || !retry_failed;
}

// Cells grouped by what `key` makes of them, in the order of first sight.
template <class Key>
std::vector<std::vector<Cell>> group(const std::vector<Cell>& cells, Key key) {
  std::vector<std::vector<Cell>> groups;
  std::map<std::string, std::size_t> index;
  for (const Cell& cell : cells) {
    const auto [it, added] = index.emplace(key(cell), groups.size());
    if (added) groups.emplace_back();
    groups[it->second].push_back(cell);
  }
  return groups;
}

// Divides a task that would keep one worker busy long after the others are done: by control, which shares only reading
// and quantizing, then by tile.
void divide(WorkerTask task, double most, std::vector<WorkerTask>& out) {
  if (estimate(task) > most) {
    for (const auto& key : {&Cell::control, &Cell::tile}) {
      const auto groups = group(task.cells, [&](const Cell& cell) { return cell.*key; });
      if (groups.size() < 2) continue;
      for (const auto& cells : groups) {
        task.cells = cells;
        divide(task, most, out);
      }
      return;
    }
  }
  out.push_back(std::move(task));
}

void sort_and_sum(PendingWork& work) {
  std::stable_sort(work.tasks.begin(), work.tasks.end(),
                   [](const WorkerTask& a, const WorkerTask& b) { return estimate(a) > estimate(b); });
  for (const WorkerTask& task : work.tasks) {
    if (task.diagnostic_tile.empty()) work.cells += task.cells.size();
    work.seconds += estimate(task);
  }
}

}  // namespace

PendingWork pending_cells(const ExperimentConfig& config, const Plan& plan, const Store* store, unsigned workers,
                          bool retry_failed) {
  std::vector<WorkerTask> tasks;
  std::map<std::tuple<std::size_t, std::size_t, std::string>, u64> memory;
  double total = 0;
  for (const Task& planned : plan.tasks) {
    memory[{planned.checkpoint, planned.tensor, planned.quantizer}] = planned.memory_bytes;
    WorkerTask task;
    for (const std::size_t index : planned.cells) {
      const Cell& cell = plan.cells[index];
      if (is_over(store, cell, retry_failed)) continue;
      if (task.cells.empty()) task = make_task(config, plan, cell);
      add_cell(config, cell, task);
    }
    if (task.cells.empty()) continue;
    task.memory_bytes = planned.memory_bytes;
    total += estimate(task);
    tasks.push_back(std::move(task));
  }
  PendingWork work;
  const double most = workers > 1 ? std::max(kWorthDividing, total / (4.0 * workers)) : total;
  for (WorkerTask& task : tasks) divide(std::move(task), most, work.tasks);

  std::map<std::tuple<std::size_t, std::size_t, std::string>, WorkerTask> diagnostics;
  for (const Cell& cell : diagnostic_cells(config, plan)) {
    if (store != nullptr && store->diagnostics().contains(cell.hash)) continue;
    const auto key = std::tuple(cell.checkpoint, cell.tensor, cell.quantizer);
    WorkerTask& task = diagnostics[key];
    if (task.cells.empty()) {
      task = make_task(config, plan, cell);
      task.diagnostic_tile = config.axis(Axis::tile).front();
      task.memory_bytes = memory[key];
    }
    task.cells.push_back(cell);
  }
  for (auto& [key, task] : diagnostics) work.tasks.push_back(std::move(task));
  sort_and_sum(work);
  return work;
}

PendingWork pending_timings(const ExperimentConfig& config, const Plan& plan, const Store* store, u64 memory_budget) {
  PendingWork work;
  if (!config.timing) return work;
  std::map<std::tuple<std::size_t, std::size_t, std::string>, std::vector<const Cell*>> groups;
  for (const std::size_t index : plan.timed) {
    const Cell& cell = plan.cells[index];
    if (store != nullptr) {
      const auto it = store->cells().find(cell.hash);
      if (it == store->cells().end() || it->second.status != CellStatus::finished) continue;
      if (store->timings().contains(cell.hash)) continue;
    }
    groups[{cell.checkpoint, cell.tensor, cell.quantizer}].push_back(&cell);
  }
  for (const auto& [key, cells] : groups) {
    WorkerTask task = make_task(config, plan, *cells.front());
    task.timing = TimingOptions{config.timing->repeats, config.timing->warmup, config.seed, 1.0};
    const u64 each = std::max<u64>(1, task.weights * kTimedBytesPerWeight);
    const std::size_t most = std::max<u64>(2, memory_budget / each);
    for (std::size_t first = 0; first < cells.size(); first += most) {
      task.cells.clear();
      for (std::size_t i = first; i < std::min(first + most, cells.size()); ++i) task.cells.push_back(*cells[i]);
      work.tasks.push_back(task);
    }
  }
  const double passes = config.timing->repeats + config.timing->warmup;
  for (const WorkerTask& task : work.tasks) {
    work.cells += task.cells.size();
    work.seconds += passes * estimate(task);
  }
  return work;
}

}  // namespace wcodec
