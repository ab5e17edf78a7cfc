#include "experiments/engine.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <unordered_map>

#include "core/error.hpp"
#include "core/sources/python.hpp"
#include "core/spec.hpp"
#include "experiments/fragment.hpp"
#include "experiments/worker_process.hpp"
#include "experiments/worker_protocol.hpp"

namespace wcodec {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::array<sv, 2> kEngines = {"ray", "slurm"};
constexpr sv kFragmentEnd = ".fragment";

// A unit with the cells that have not been told of yet.
struct Open {
  const WorkUnit* unit;
  std::unordered_map<std::string, std::size_t> cells;  // by hash: index in the task
};

class Engine {
 public:
  Engine(const std::vector<WorkUnit>& units, const EngineOptions& options, const PoolEvents& events)
      : events_(events), adapter_(options.adapter) {
    std::error_code failure;
    fs::create_directories(options.fragments, failure);
    if (failure) {
      throw Error(ErrorKind::io,
                  fmt::format("{} cannot be created ({})", printable(options.fragments), failure.message()));
    }
    adapter_.write_line(wcodec::to_line(json{{"command", options.command},
                                             {"plugins", options.plugins},
                                             {"fragments", options.fragments},
                                             {"options", options.own}}));
    for (const WorkUnit& unit : units) {
      Open& open = open_[unit.name];
      open.unit = &unit;
      for (std::size_t i = 0; i < unit.task.cells.size(); ++i) open.cells.emplace(unit.task.cells[i].hash, i);
      adapter_.write_line(to_line(unit));
    }
    adapter_.write_line("{\"end\": true}\n");
  }

  bool run() {
    while (!finished_) {
      if (!events_.go_on()) return false;
      std::array<pollfd, 2> ends = {pollfd{adapter_.results(), POLLIN, 0}, pollfd{adapter_.messages(), POLLIN, 0}};
      ::poll(ends.data(), ends.size(), 100);
      listen_to_messages();
      const bool more = adapter_.result_lines.fill(adapter_.results());
      for (std::string line; adapter_.result_lines.next(line);) handle(line);
      events_.commit();
      remove_merged();
      if (!more && !finished_) {
        listen_to_messages();
        throw Error(ErrorKind::internal, fmt::format("the engine {} before its work was done{}{}", adapter_.end(),
                                                     last_words_.empty() ? "" : ": ", last_words_));
      }
    }
    for (auto& [name, open] : open_) fail(open, "the engine said nothing of this cell");
    events_.commit();
    return true;
  }

 private:
  void listen_to_messages() {
    adapter_.message_lines.fill(adapter_.messages());
    for (std::string line; adapter_.message_lines.next(line);) {
      if (line.empty()) continue;
      last_words_ = printable(line);
      events_.said(last_words_);
    }
  }

  void handle(const std::string& line) {
    const json message = json::parse(line);
    if (message.contains("finished")) {
      finished_ = true;
    } else if (message.contains("said")) {
      events_.said(printable(message["said"].get<std::string>()));
    } else if (message.contains("over")) {
      const std::string path = message.at("fragment").get<std::string>();
      if (const auto it = open_.find(message["over"].get<std::string>()); it != open_.end()) merge(it->second, path);
      merged_.push_back(path);
    } else if (message.contains("lost")) {
      const auto it = open_.find(message["lost"].get<std::string>());
      if (it != open_.end()) fail(it->second, message.at("reason").get<std::string>());
    }
  }

  // The index of a cell that has not been told of, which it then is.
  static std::optional<std::size_t> take(Open& open, const std::string& hash) {
    const auto it = open.cells.find(hash);
    if (it == open.cells.end()) return std::nullopt;
    const std::size_t index = it->second;
    open.cells.erase(it);
    return index;
  }

  void merge(Open& open, const std::string& path) {
    const Fragment fragment = read_fragment(path);
    const WorkerTask& task = open.unit->task;
    for (const CellRecord& record : fragment.cells) {
      const auto cell = take(open, record.hash);
      if (!cell) continue;
      if (record.status == CellStatus::finished) {
        events_.done(task, *cell, record.result);
      } else {
        events_.failed(task, *cell, record.status, record.reason);
      }
    }
    for (const auto& [hash, found] : fragment.diagnostics) {
      if (const auto cell = take(open, hash)) {
        CellResult passed;
        passed.hash = hash;
        events_.done(task, *cell, passed);
        events_.diagnostics(task, found);
      }
    }
    for (const TimingRecord& record : fragment.timings) {
      if (take(open, record.hash)) events_.timed(task, record);
    }
    for (const auto& [hash, reason] : fragment.failed_passes) {
      if (const auto cell = take(open, hash)) events_.failed(task, *cell, CellStatus::failed, reason);
    }
    fail(open, "the machine that ran this cell said nothing of it");
  }

  void fail(Open& open, const std::string& reason) {
    for (const auto& [hash, cell] : open.cells) events_.failed(open.unit->task, cell, CellStatus::crashed, reason);
    open.cells.clear();
  }

  void remove_merged() {
    for (const std::string& path : merged_) {
      std::error_code ignored;
      fs::remove(path, ignored);
    }
    merged_.clear();
  }

  const PoolEvents& events_;
  WorkerProcess adapter_;
  std::unordered_map<std::string, Open> open_;
  std::vector<std::string> merged_;
  std::string last_words_;
  bool finished_ = false;
};

}  // namespace

bool run_units(const std::vector<WorkUnit>& units, const EngineOptions& options, const PoolEvents& events) {
  return Engine(units, options, events).run();
}

u64 merge_fragments(const std::string& folder, Store& store) {
  u64 merged = 0;
  std::error_code failure;
  std::vector<fs::path> done;
  for (fs::directory_iterator it(folder, failure), end; !failure && it != end; it.increment(failure)) {
    if (it->path().extension() != kFragmentEnd) continue;
    const Fragment fragment = read_fragment(it->path().string());
    for (const CellRecord& record : fragment.cells) {
      if (store.cells().contains(record.hash)) continue;
      ++merged;
      store.record(record);
    }
    for (const auto& [hash, found] : fragment.diagnostics) {
      merged += !store.diagnostics().contains(hash);
      store.record_diagnostics(hash, found);
    }
    for (const TimingRecord& record : fragment.timings) {
      merged += !store.timings().contains(record.hash);
      store.record_timing(record);
    }
    done.push_back(it->path());
  }
  store.commit();
  for (const fs::path& path : done) fs::remove(path, failure);
  return merged;
}

std::vector<sv> engine_names() { return {kEngines.begin(), kEngines.end()}; }

std::vector<std::string> engine_adapter(const std::string& name) {
  if (std::find(kEngines.begin(), kEngines.end(), name) == kEngines.end()) {
    std::vector<sv> known = engine_names();
    known.emplace_back("local");
    throw Error(ErrorKind::usage, unknown_name("engine", name, known));
  }
  const char* path = std::getenv("PYTHONPATH");
  return {"/usr/bin/env",
          fmt::format("PYTHONPATH={}/python{}{}", WCODEC_PROJECT_DIR, path == nullptr ? "" : ":", path ? path : ""),
          python_executable(),
          "-m",
          "wcodec_engines",
          name};
}

}  // namespace wcodec
