#include "experiments/work_unit.hpp"

#include <fmt/format.h>

#include <set>
#include <unordered_set>

#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/sources/source.hpp"
#include "experiments/fragment.hpp"
#include "experiments/plan.hpp"
#include "experiments/worker_pool.hpp"
#include "experiments/worker_protocol.hpp"

namespace wcodec {
namespace {

using nlohmann::json;

void check_tensor(const CheckpointSource& source, std::size_t tensor, const std::string& hash,
                  const std::string& name) {
  OpenOptions options;
  options.views = source.views;
  const auto checkpoint = open_checkpoint(source.address, options);
  if (tensor >= checkpoint->tensors().size() || tensor_content_hash(*checkpoint, tensor) != hash) {
    throw Error(ErrorKind::corrupt,
                fmt::format("{}: tensor '{}' is not the one that was planned; bring the same checkpoint to every "
                            "machine, or plan again",
                            printable(source.address), printable(name)));
  }
}

// The tensors that are here must be those that were planned: an address may hold another file on another machine.
void check_tensors(const WorkUnit& unit) {
  const WorkerTask& task = unit.task;
  const CheckpointSource own{task.address, task.views};
  check_tensor(own, task.tensor, task.cells.front().tensor_hash, task.name);
  std::set<std::pair<std::size_t, std::size_t>> checked;
  for (const Cell& cell : task.cells) {
    const ReferencePlace& place = cell.reference_place;
    if (cell.reference == "none" || !checked.emplace(place.checkpoint, place.tensor).second) continue;
    const auto other = task.references.find(place.checkpoint);
    check_tensor(other == task.references.end() ? own : other->second, place.tensor, place.tensor_hash,
                 "the reference of " + task.name);
  }
}

std::unordered_set<std::string> recorded(const WorkUnit& unit, const std::string& path) {
  std::unordered_set<std::string> hashes;
  const Fragment fragment = read_fragment(path);
  if (unit.pass() == Pass::measure) {
    for (const CellRecord& cell : fragment.cells) hashes.insert(cell.hash);
  }
  if (unit.pass() == Pass::diagnose) {
    for (const auto& [hash, found] : fragment.diagnostics) hashes.insert(hash);
  }
  if (unit.pass() == Pass::time) {
    for (const TimingRecord& timing : fragment.timings) hashes.insert(timing.hash);
  }
  return hashes;
}

}  // namespace

WorkUnit make_unit(WorkerTask task, double timeout_s, u64 memory_mib) {
  WorkUnit unit;
  unit.task = std::move(task);
  unit.timeout_s = timeout_s;
  unit.memory_mib = memory_mib;
  std::string name = fmt::format("wcodec unit {}", to_string(unit.pass()));
  for (const Cell& cell : unit.task.cells) {
    name += '\n' + cell.hash;
    unit.seconds += estimated_seconds(cell, unit.task.weights);
  }
  if (const auto& timing = unit.task.timing) unit.seconds *= timing->repeats + timing->warmup;
  unit.name = content_hash(sv(name));
  return unit;
}

std::string to_line(const WorkUnit& unit) {
  json line = to_json(unit.task);
  line["unit"] = unit.name;
  line["pass"] = to_string(unit.pass());
  line["name"] = unit.task.name;
  line["shard"] = unit.task.shard;
  line["weights"] = unit.task.weights;
  line["memory_bytes"] = unit.task.memory_bytes;
  line["seconds"] = unit.seconds;
  line["timeout_s"] = unit.timeout_s;
  line["memory_mib"] = unit.memory_mib;
  return to_line(line);
}

WorkUnit unit_from_line(const std::string& line) {
  WorkUnit unit;
  try {
    const json from = json::parse(line);
    unit.task = task_from_json(from);
    from.at("unit").get_to(unit.name);
    from.at("name").get_to(unit.task.name);
    from.at("shard").get_to(unit.task.shard);
    from.at("weights").get_to(unit.task.weights);
    from.at("memory_bytes").get_to(unit.task.memory_bytes);
    from.at("seconds").get_to(unit.seconds);
    from.at("timeout_s").get_to(unit.timeout_s);
    from.at("memory_mib").get_to(unit.memory_mib);
  } catch (const json::exception& error) {
    throw Error(ErrorKind::corrupt,
                fmt::format("not a work unit as `wcodec plan --units` prints them: {}", printable(error.what())));
  }
  if (unit.task.cells.empty()) throw Error(ErrorKind::corrupt, "a work unit without cells");
  return unit;
}

UnitOutcome run_unit(const WorkUnit& unit, const std::string& path, const std::vector<std::string>& command) {
  UnitOutcome outcome;
  const auto over = recorded(unit, path);
  WorkerTask task = unit.task;
  std::erase_if(task.cells, [&](const Cell& cell) { return over.contains(cell.hash); });
  outcome.reused = unit.task.cells.size() - task.cells.size();
  if (task.cells.empty()) return outcome;
  check_tensors(unit);

  FragmentWriter fragment(path);
  const bool diagnoses = unit.pass() == Pass::diagnose;
  PoolEvents events;
  events.done = [&](const WorkerTask&, std::size_t, const CellResult& result) {
    if (diagnoses) return;  // the pass itself comes apart
    fragment.record({result.hash, CellStatus::finished, result, {}});
    ++outcome.finished;
  };
  events.failed = [&](const WorkerTask& of, std::size_t index, CellStatus status, const std::string& reason) {
    const std::string& hash = of.cells.at(index).hash;
    if (unit.pass() == Pass::measure) {
      fragment.record({hash, status, {}, reason});
    } else {
      fragment.record_failed_pass(hash, reason);
    }
    ++outcome.failed;
  };
  events.diagnostics = [&](const WorkerTask& of, const Diagnostics& found) {
    for (const Cell& cell : of.cells) {
      if (cell.control != found.control) continue;
      fragment.record_diagnostics(cell.hash, found);
      ++outcome.finished;
    }
  };
  events.timed = [&](const WorkerTask&, const TimingRecord& record) {
    fragment.record_timing(record);
    ++outcome.finished;
  };
  events.commit = [] {};
  events.said = [](const std::string&) {};
  events.go_on = [] { return true; };
  PoolOptions options;
  options.command = command;
  options.timeout_s = unit.timeout_s;
  run_tasks({std::move(task)}, options, events);
  fragment.sync();
  return outcome;
}

}  // namespace wcodec
