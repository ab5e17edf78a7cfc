#include "experiments/worker.hpp"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <iostream>
#include <new>

#include "core/error.hpp"
#include "core/sanitized.hpp"
#include "experiments/store_json.hpp"
#include "experiments/worker_protocol.hpp"

namespace wcodec {
namespace {

using nlohmann::json;

// The driver is gone: nobody is left to report to.
struct DriverGone {};

void send(const json& message) {
  const std::string line = to_line(message);
  for (std::size_t sent = 0; sent < line.size();) {
    const auto written = ::write(kResultDescriptor, line.data() + sent, line.size() - sent);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) throw DriverGone{};
    sent += static_cast<std::size_t>(written);
  }
}

void send_and_wait(const json& message) {
  send(message);
  std::string line;
  if (!std::getline(std::cin, line)) throw DriverGone{};
}

// Reasons come from exceptions of any library; this one's own text says nothing.
std::string reason_of(const std::string& what) {
  return what == std::bad_alloc().what() || what == "std::bad_array_new_length" ? "out of memory" : what;
}

void measure(const WorkerFunctions& functions, const WorkerTask& task) {
  MeasureCallbacks callbacks;
  callbacks.begin = [](std::size_t cell) { send({{"begin", cell}}); };
  callbacks.done = [](std::size_t cell, const CellResult& result) {
    send_and_wait({{"done", cell}, {"result", to_json(result)}});
  };
  callbacks.failed = [](std::size_t cell, const std::string& reason) {
    send_and_wait({{"failed", cell}, {"reason", reason_of(reason)}});
  };
  if (!task.diagnostic_tile.empty()) {
    callbacks.diagnostics = [](const Diagnostics& found) { send({{"diagnostics", to_json(found)}}); };
  }
  functions.measure(task, callbacks);
}

void time(const WorkerFunctions& functions, const WorkerTask& task) {
  TimingCallbacks callbacks;
  callbacks.begin = [](std::size_t cell) { send({{"begin", cell}}); };
  callbacks.done = [&](std::size_t cell, const TimedCell& timed, const ClockReading& clock) {
    const TimingRecord record{task.cells.at(cell).hash, timed, timed.threads, clock.after, clock.throttled()};
    send_and_wait({{"timed", cell}, {"timing", to_json(record)}});
  };
  callbacks.failed = [](std::size_t cell, const std::string& reason) {
    send_and_wait({{"failed", cell}, {"reason", reason_of(reason)}});
  };
  functions.time(task, callbacks);
}

void bound_memory(u64 mib) {
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  if (mib != 0 && !kShadowMemory) {
    const rlimit limit{mib << 20, mib << 20};
    ::setrlimit(RLIMIT_AS, &limit);
  }
}

}  // namespace

int worker_main(const WorkerFunctions& functions, u64 memory_mib) {
  // A worker never outlives its driver: this covers a cell that computes for long and reads nothing. A driver that died
  // before this line has closed our input, which ends the loop below.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::signal(SIGINT, SIG_IGN);  // the driver decides
  ::signal(SIGPIPE, SIG_IGN);
  bound_memory(memory_mib);
  try {
    send({{"ready", true}});
    for (std::string line; std::getline(std::cin, line);) {
      try {
        const WorkerTask task = task_from_json(json::parse(line));
        if (task.timing) {
          time(functions, task);
        } else {
          measure(functions, task);
        }
      } catch (const std::exception& error) {
        // Whatever escaped may have left libraries in any state.
        send({{"broken", reason_of(error.what())}});
        return 1;
      }
      send({{"finished", true}});
    }
  } catch (const DriverGone&) {
    return 1;
  }
  return 0;
}

}  // namespace wcodec
