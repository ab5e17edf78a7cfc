// The pool against workers that misbehave. The worker is this very program, started with a filter that selects the test
// `WorkerProcess.DISABLED_Serve`, which serves tasks with a fake measure function.
#include "experiments/worker_pool.hpp"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <thread>

#include "core/error.hpp"
#include "core/sanitized.hpp"

namespace wcodec {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::vector<std::string> worker_command() {
  return {std::filesystem::read_symlink("/proc/self/exe").string(), "--gtest_also_run_disabled_tests",
          "--gtest_filter=WorkerProcess.DISABLED_Serve"};
}

// A cell does what its `coder` says.
void misbehave(const std::string& how) {
  if (how == "segfault") {
    ::signal(SIGSEGV, SIG_DFL);  // a sanitizer's handler would turn the signal into an exit status
    ::raise(SIGSEGV);
  }
  if (how == "abort") {
    std::cerr << "assertion 'x' failed" << std::endl;
    std::abort();
  }
  if (how == "exit") ::_exit(7);
  if (how == "hang") {
    for (;;) ::pause();
  }
  if (how == "hang in a program") {
    const char* pid_file = std::getenv("WCODEC_TEST_PID_FILE");
    const pid_t program = ::fork();
    if (program == 0) {
      ::setpgid(0, 0);
      ::execlp("sleep", "sleep", "1000", nullptr);
      ::_exit(1);
    }
    std::ofstream(pid_file) << program;
    misbehave("hang");
  }
  if (how == "kill") ::raise(SIGKILL);
  if (how == "throw") throw Error(ErrorKind::corrupt, "decoded bytes differ");
  if (how == "odd bytes") throw Error(ErrorKind::corrupt, "name \xff\xfe");
  if (how == "memory") {
    // More than memory_mib, and touched, so that no allocator may promise it for nothing.
    std::vector<char> all(std::size_t{8} << 30, 'x');
    std::cerr << all[all.size() / 2];
  }
}

void fake_measure(const WorkerTask& task, const MeasureCallbacks& callbacks) {
  if (task.quantizer == "crash-at-start") std::abort();
  if (task.quantizer == "hang-at-start") misbehave("hang");
  if (task.quantizer == "throw-at-start") throw Error(ErrorKind::io, "tensor cannot be read");
  if (task.quantizer == "print") std::cout << "a library prints\n" << std::flush;
  for (std::size_t i = 0; i < task.cells.size(); ++i) {
    if (task.quantizer == "forgetful" && i == 1) continue;
    if (task.quantizer == "escapes" && task.cells[i].coder == "throw") {
      callbacks.begin(i);
      throw Error(ErrorKind::internal, "escaped");
    }
    callbacks.begin(i);
    try {
      misbehave(task.cells[i].coder);
    } catch (const std::exception& error) {
      callbacks.failed(i, error.what());
      continue;
    }
    CellResult result;
    result.hash = task.cells[i].hash;
    result.coded_bytes = task.cells[i].seed;
    callbacks.done(i, result);
  }
  if (callbacks.diagnostics) callbacks.diagnostics({"original", task.quantizer, {}, {}});
}

TEST(WorkerProcess, DISABLED_Serve) {
  const char* limit = std::getenv("WCODEC_TEST_MEMORY_MIB");
  std::exit(worker_main({fake_measure, {}}, limit == nullptr ? 0 : std::strtoull(limit, nullptr, 10)));
}

struct Ending {
  CellStatus status;
  std::string reason;
};

struct Outcome {
  std::map<std::string, Ending> endings;
  std::map<std::string, int> times;
  std::vector<std::string> said;
  int diagnostics = 0, commits = 0;
  bool finished = false;
};

WorkerTask task_of(const std::string& quantizer, const std::vector<std::string>& behaviours) {
  WorkerTask task;
  task.quantizer = quantizer;
  for (std::size_t i = 0; i < behaviours.size(); ++i) {
    Cell cell;
    cell.hash = quantizer + "/" + std::to_string(i);
    cell.coder = behaviours[i];
    cell.seed = i;
    task.cells.push_back(cell);
  }
  return task;
}

Outcome run(std::vector<WorkerTask> tasks, PoolOptions options = {}) {
  Outcome out;
  const auto end = [&](const std::string& hash, Ending ending) {
    out.endings[hash] = std::move(ending);
    ++out.times[hash];
  };
  PoolEvents events;
  events.done = [&](const WorkerTask& task, std::size_t cell, const CellResult& result) {
    EXPECT_EQ(result.hash, task.cells.at(cell).hash);
    EXPECT_EQ(result.coded_bytes, task.cells.at(cell).seed);
    end(result.hash, {CellStatus::finished, ""});
  };
  events.failed = [&](const WorkerTask& task, std::size_t cell, CellStatus status, const std::string& reason) {
    end(task.cells.at(cell).hash, {status, reason});
  };
  events.diagnostics = [&](const WorkerTask&, const Diagnostics&) { ++out.diagnostics; };
  events.timed = [](const WorkerTask&, const TimingRecord&) {};
  events.commit = [&] { ++out.commits; };
  events.said = [&](const std::string& line) { out.said.push_back(line); };
  events.go_on = [] { return true; };
  if (options.command.empty()) options.command = worker_command();
  out.finished = run_tasks(std::move(tasks), options, events);
  for (const auto& [hash, times] : out.times) EXPECT_EQ(times, 1) << hash << " ended more than once";
  return out;
}

TEST(WorkerPool, RunsEveryCellOnceOnAnyNumberOfWorkers) {
  for (const unsigned workers : {1u, 3u}) {
    std::vector<WorkerTask> tasks;
    for (int i = 0; i < 12; ++i) tasks.push_back(task_of("task" + std::to_string(i), {"", "", "", "", ""}));
    tasks[3].diagnostic_tile = "16x16";
    PoolOptions options;
    options.workers = workers;
    const Outcome result = run(tasks, options);
    EXPECT_TRUE(result.finished);
    EXPECT_EQ(result.endings.size(), 60u);
    EXPECT_EQ(result.diagnostics, 1);
    for (const auto& [hash, ending] : result.endings) EXPECT_EQ(ending.status, CellStatus::finished) << hash;
  }
}

TEST(WorkerPool, ACrashCostsOneCell) {
  const Outcome result = run({task_of("q", {"", "segfault", "", "abort", "exit", "kill", ""})});
  EXPECT_EQ(result.endings.at("q/0").status, CellStatus::finished);
  EXPECT_EQ(result.endings.at("q/2").status, CellStatus::finished);
  EXPECT_EQ(result.endings.at("q/6").status, CellStatus::finished);
  for (const char* hash : {"q/1", "q/3", "q/4", "q/5"}) {
    EXPECT_EQ(result.endings.at(hash).status, CellStatus::crashed) << hash;
  }
  EXPECT_THAT(result.endings.at("q/1").reason, HasSubstr("signal 11"));
  EXPECT_THAT(result.endings.at("q/3").reason, HasSubstr("signal 6"));
  EXPECT_THAT(result.endings.at("q/3").reason, HasSubstr("assertion 'x' failed"));
  EXPECT_THAT(result.endings.at("q/4").reason, HasSubstr("exit status 7"));
  EXPECT_THAT(result.endings.at("q/5").reason, HasSubstr("memory"));
}

TEST(WorkerPool, AnExceptionCostsOneCell) {
  const Outcome result = run({task_of("q", {"throw", "", "odd bytes"}), task_of("escapes", {"", "throw", ""})});
  EXPECT_EQ(result.endings.at("q/0").status, CellStatus::failed);
  EXPECT_EQ(result.endings.at("q/0").reason, "decoded bytes differ");
  EXPECT_EQ(result.endings.at("q/1").status, CellStatus::finished);
  EXPECT_THAT(result.endings.at("q/2").reason, StartsWith("name "));
  EXPECT_EQ(result.endings.at("escapes/1").reason, "escaped");
  EXPECT_EQ(result.endings.at("escapes/2").status, CellStatus::finished);
}

TEST(WorkerPool, AHangCostsOneCell) {
  PoolOptions options;
  options.timeout_s = 0.5;
  options.workers = 2;
  const Outcome result = run({task_of("q", {"", "hang", ""}), task_of("p", {"", ""})}, options);
  EXPECT_EQ(result.endings.at("q/1").status, CellStatus::timeout);
  EXPECT_EQ(result.endings.at("q/1").reason, "took longer than 0.5 s");
  EXPECT_EQ(result.endings.at("q/0").status, CellStatus::finished);
  EXPECT_EQ(result.endings.at("q/2").status, CellStatus::finished);
  EXPECT_EQ(result.endings.size(), 5u);
}

TEST(WorkerPool, AProgramThatHangsGoesWithItsWorker) {
  const std::string pid_file = ::testing::TempDir() + "wcodec-pool-" + std::to_string(::getpid());
  ::setenv("WCODEC_TEST_PID_FILE", pid_file.c_str(), 1);
  PoolOptions options;
  options.timeout_s = 0.5;
  const Outcome result = run({task_of("q", {"hang in a program", ""})}, options);
  EXPECT_EQ(result.endings.at("q/0").status, CellStatus::timeout);
  std::ifstream file(pid_file);
  pid_t program = 0;
  ASSERT_TRUE(file >> program);
  // Whoever inherits it may not have reaped it yet.
  std::string state;
  for (int waited = 0; waited < 100; ++waited) {
    std::ifstream stat("/proc/" + std::to_string(program) + "/stat");
    std::string pid, name;
    state.clear();
    if (!(stat >> pid >> name >> state) || state == "Z") break;
    ::usleep(10'000);
  }
  EXPECT_TRUE(state.empty() || state == "Z") << state;
  std::filesystem::remove(pid_file);
}

TEST(WorkerPool, ExhaustedMemoryCostsOneCell) {
  ::setenv("WCODEC_TEST_MEMORY_MIB", "512", 1);
  // Where a sanitizer's shadow leaves no room for that limit its allocator sets one, and ends the worker.
  for (const char* options : {"ASAN_OPTIONS", "TSAN_OPTIONS"}) {
    const char* given = std::getenv(options);
    ::setenv(options, ((given == nullptr ? "" : given + std::string(":")) + "max_allocation_size_mb=512").c_str(), 1);
  }
  const Outcome result = run({task_of("q", {"", "memory", ""})});
  ::unsetenv("WCODEC_TEST_MEMORY_MIB");
  EXPECT_EQ(result.endings.at("q/1").status, kShadowMemory ? CellStatus::crashed : CellStatus::failed);
  if (!kShadowMemory) {
    EXPECT_EQ(result.endings.at("q/1").reason, "out of memory");
  }
  EXPECT_EQ(result.endings.at("q/0").status, CellStatus::finished);
  EXPECT_EQ(result.endings.at("q/2").status, CellStatus::finished);
}

TEST(WorkerPool, WhatHappensBetweenCellsCostsTheTask) {
  PoolOptions options;
  options.timeout_s = 0.5;
  const Outcome result =
      run({task_of("crash-at-start", {"", ""}), task_of("hang-at-start", {"", ""}), task_of("throw-at-start", {"", ""}),
           task_of("forgetful", {"", "", ""}), task_of("q", {""})},
          options);
  EXPECT_EQ(result.endings.at("crash-at-start/1").status, CellStatus::crashed);
  EXPECT_EQ(result.endings.at("hang-at-start/0").status, CellStatus::timeout);
  EXPECT_THAT(result.endings.at("hang-at-start/1").reason, HasSubstr("preparing"));
  EXPECT_EQ(result.endings.at("throw-at-start/1").reason, "tensor cannot be read");
  EXPECT_EQ(result.endings.at("forgetful/1").status, CellStatus::failed);
  EXPECT_EQ(result.endings.at("forgetful/2").status, CellStatus::finished);
  EXPECT_EQ(result.endings.at("q/0").status, CellStatus::finished);
}

TEST(WorkerPool, WhatALibraryPrintsIsNoResult) {
  const Outcome result = run({task_of("print", {"", ""})});
  EXPECT_EQ(result.endings.size(), 2u);
  EXPECT_THAT(result.said, ::testing::Contains("a library prints"));
}

TEST(WorkerPool, ACommandThatCannotServeIsSaid) {
  PoolOptions options;
  options.command = {"/nonexistent/program"};
  EXPECT_THROW(run({task_of("q", {""})}, options), Error);
  options.command = {"/bin/sh", "-c", "echo no such plugin >&2; exit 2"};
  try {
    run({task_of("q", {""})}, options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("no such plugin"));
  }
}

TEST(WorkerPool, StopsWhenToldAndLeavesNoProcess) {
  PoolOptions options;
  options.command = worker_command();
  options.workers = 2;
  PoolEvents events;
  int begun = 0;
  events.done = [&](const WorkerTask&, std::size_t, const CellResult&) { ++begun; };
  events.failed = [](const WorkerTask&, std::size_t, CellStatus, const std::string&) { FAIL(); };
  events.diagnostics = [](const WorkerTask&, const Diagnostics&) {};
  events.commit = [] {};
  events.said = [](const std::string&) {};
  events.go_on = [&] { return begun < 2; };
  EXPECT_FALSE(run_tasks({task_of("a", {"", "hang"}), task_of("b", {"", "hang"})}, options, events));
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a worker is left";
}

// The driver is killed while its workers compute: they must go too.
TEST(WorkerPool, WorkersDieWithTheDriver) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t driver = ::fork();
  if (driver == 0) {
    PoolOptions options;
    options.command = worker_command();
    options.workers = 2;
    PoolEvents events;
    events.done = [&](const WorkerTask&, std::size_t, const CellResult&) {
      [[maybe_unused]] const auto told = ::write(ends[1], "x", 1);
    };
    events.failed = [](const WorkerTask&, std::size_t, CellStatus, const std::string&) {};
    events.diagnostics = [](const WorkerTask&, const Diagnostics&) {};
    events.commit = [] {};
    events.said = [](const std::string&) {};
    events.go_on = [] { return true; };
    run_tasks({task_of("a", {"", "hang"}), task_of("b", {"", "hang"})}, options, events);
    ::_exit(0);
  }
  ::close(ends[1]);
  char both[2];
  for (std::size_t got = 0; got < 2;) {
    const auto count = ::read(ends[0], both, sizeof both);
    ASSERT_GT(count, 0);
    got += static_cast<std::size_t>(count);
  }
  ::kill(driver, SIGKILL);
  ::waitpid(driver, nullptr, 0);
  // The workers inherit this end of the pipe: it reports its end once the last of them is gone.
  EXPECT_EQ(::read(ends[0], both, 1), 0);
  ::close(ends[0]);
}

}  // namespace
}  // namespace wcodec
