// Whole runs with workers whose measure function is a fake: numbers made of the cell's name.
#include "experiments/run.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "core/hash.hpp"
#include "experiments/results_file.hpp"
#include "tests/experiments/config_testing.hpp"

namespace wcodec {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr i64 kSide = 64;

// One line a cell that was begun, over all workers and runs.
void log_cell(const std::string& hash) {
  if (const char* path = std::getenv("WCODEC_TEST_LOG"); path != nullptr) {
    const int file = ::open(path, O_WRONLY | O_CREAT | O_APPEND, 0666);
    const std::string line = hash + "\n";
    [[maybe_unused]] const auto written = ::write(file, line.data(), line.size());
    ::close(file);
  }
}

void fake_measure(const WorkerTask& task, const MeasureCallbacks& callbacks) {
  for (std::size_t i = 0; i < task.cells.size(); ++i) {
    const Cell& cell = task.cells[i];
    callbacks.begin(i);
    if (task.diagnostic_tile.empty()) log_cell(cell.hash);
    if (const char* slow = std::getenv("WCODEC_TEST_SLOW_US"); slow != nullptr) {
      ::usleep(static_cast<useconds_t>(std::atoi(slow)));
    }
    const bool odd =
        task.diagnostic_tile.empty() && cell.tile == "8x32" && cell.modes == "none+left" && cell.control == "shuffled";
    if (odd && cell.quantizer == "int8" && std::getenv("WCODEC_TEST_MENDED") == nullptr) std::abort();
    if (odd && cell.quantizer == "int4:group=64") {
      callbacks.failed(i, "decoded bytes differ");
      continue;
    }
    const u64 seed = hash64(Bytes(reinterpret_cast<const u8*>(cell.hash.data()), cell.hash.size()));
    CellResult result;
    result.hash = cell.hash;
    result.weights = kSide * kSide;
    result.source_bytes = 4 * result.weights;
    result.original_bytes = result.weights;
    result.coded_bytes = 1000 + seed % 3000;
    result.ledger[LedgerEntry::payload] = result.coded_bytes;
    result.h0_bpw = static_cast<double>(seed % 1000003) / 1e5;
    result.residual_h0_bpw = result.best_bpw = result.h0_bpw / 3;
    result.gm_bpw = std::nan("");
    if (cell.role == Role::codec) result.modes = {{"symbols", "none", seed % 7}};
    callbacks.done(i, result);
    if (callbacks.diagnostics) {
      callbacks.diagnostics({cell.control, task.quantizer, {{"symbols", cell.modes, {{-1, 5}}}}, {{0, 1, 0.25}}});
    }
  }
}

void fake_time(const WorkerTask& task, const TimingCallbacks& callbacks) {
  for (std::size_t i = 0; i < task.cells.size(); ++i) {
    callbacks.begin(i);
    log_cell("timing " + task.cells[i].hash);
    if (task.cells[i].modes == "none+left" && task.cells[i].tile == "16x16") {
      callbacks.failed(i, "no room");
      continue;
    }
    callbacks.done(i, {4096, 1000, std::vector<double>(static_cast<std::size_t>(task.timing->repeats), 0.5), {0.25}},
                   {1000, 800});
  }
}

TEST(RunWorker, DISABLED_Serve) { std::exit(worker_main({fake_measure, fake_time}, 0)); }

const std::string kExperiment = R"(experiment: faked
checkpoints:
  - {name: a, path: a.safetensors}
axes:
  quantizer: [int8, "int4:group=64"]
  tile: [8x32, 16x16]
  modes: [[none], [none, left]]
  coder: ["rans:tables=tensor"]
baselines: [zstd]
)";

struct Experiment : PlannedExperiment {
  std::string folder, text, out, log;

  explicit Experiment(const std::string& yaml = kExperiment) : text(yaml) {
    std::string name = (fs::temp_directory_path() / "wcodec-run-XXXXXX").string();
    folder = ::mkdtemp(name.data());
    out = folder + "/out";
    log = folder + "/log";
    ::setenv("WCODEC_TEST_LOG", log.c_str(), 1);
    make();
  }
  ~Experiment() {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }
  void make() {
    config = testing::parse(text);
    auto memory = std::make_shared<testing::MemoryCheckpoint>();
    for (u8 i = 0; i < 3; ++i) memory->add("t" + std::to_string(i), DType::f32, kSide, kSide, "other", i);
    checkpoints = {{memory, ""}};
    plan = make_plan(config, checkpoints);
    std::ofstream(folder + "/exp.yaml") << text;
  }

  struct Ran {
    RunOutcome outcome;
    std::string said;
  };
  Ran run(unsigned workers = 1, bool fresh = false, bool retry = false) const {
    RunOptions options;
    options.folder = out;
    options.config_file = folder + "/exp.yaml";
    options.worker_command = {fs::read_symlink("/proc/self/exe").string(), "--gtest_also_run_disabled_tests",
                              "--gtest_filter=RunWorker.DISABLED_Serve"};
    options.workers = workers;
    options.fresh = fresh;
    options.retry_failed = retry;
    std::FILE* screen = std::tmpfile();
    Ran ran;
    {
      Progress progress(ProgressStyle::automatic, screen);
      ran.outcome = run_experiment(*this, options, progress);
    }
    std::rewind(screen);
    for (int c; (c = std::fgetc(screen)) != EOF;) ran.said += static_cast<char>(c);
    std::fclose(screen);
    return ran;
  }
  // The same in a child that may be killed; its exit status is 0, or 130 if interrupted.
  pid_t start(unsigned workers) const {
    const pid_t child = ::fork();
    if (child != 0) return child;
    try {
      ::_exit(run(workers).outcome.interrupted ? 130 : 0);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
      ::_exit(2);
    }
  }
  std::string files() const {
    std::string all;
    for (const char* name : {"summary.csv", "modes.csv", "histograms.csv", "correlations.csv", "failures.csv"}) {
      all += std::string(name) + "\n" + read_text_file(out + "/" + name);
    }
    return all;
  }
  std::vector<std::string> begun() const {
    std::ifstream file(log);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }
};

// 3 tensors × (2 quantizers × 3 controls × 2 tiles × 2 mode sets + 2 quantizers × 1 baseline).
constexpr u64 kCells = 3 * (24 + 2);
constexpr u64 kFailures = 3 * 2;

TEST(Run, ResultsDoNotDependOnTheNumberOfWorkers) {
  const Experiment one, four;
  const RunOutcome first = one.run(1).outcome;
  EXPECT_EQ(first.cells, kCells);
  EXPECT_EQ(first.finished, kCells - kFailures);
  EXPECT_EQ(first.failed, kFailures);
  four.run(4);
  EXPECT_EQ(one.files(), four.files());
  EXPECT_THAT(read_text_file(one.out + "/failures.csv"), HasSubstr("crashed"));
  EXPECT_THAT(read_text_file(one.out + "/failures.csv"), HasSubstr("failed,decoded bytes differ"));
  EXPECT_EQ(read_text_file(one.out + "/experiment.yaml"), kExperiment);
}

TEST(Run, ASecondRunDoesNothingAndWritesTheSame) {
  const Experiment experiment;
  experiment.run(2);
  const std::string files = experiment.files();
  const std::size_t begun = experiment.begun().size();
  const auto again = experiment.run(2);
  EXPECT_EQ(again.outcome.reused, kCells - kFailures);
  EXPECT_EQ(again.outcome.finished, 0u);
  EXPECT_THAT(again.said, HasSubstr("6 cells failed in an earlier run"));
  EXPECT_EQ(experiment.begun().size(), begun);
  EXPECT_EQ(experiment.files(), files);
}

TEST(Run, LeftoversOfAKilledWriterGo) {
  const Experiment experiment;
  fs::create_directories(experiment.out + "/tables");
  for (const char* name : {"/summary.csv.123.tmp", "/tables/kinds.md.123.tmp", "/tables/of-another-config.md"}) {
    std::ofstream(experiment.out + name) << "half";
  }
  std::ofstream(experiment.out + "/notes.txt") << "the user's own";
  experiment.run(2);
  EXPECT_FALSE(fs::exists(experiment.out + "/summary.csv.123.tmp"));
  EXPECT_FALSE(fs::exists(experiment.out + "/tables/kinds.md.123.tmp"));
  EXPECT_FALSE(fs::exists(experiment.out + "/tables/of-another-config.md"));
  EXPECT_TRUE(fs::exists(experiment.out + "/tables/headline.md"));
  EXPECT_TRUE(fs::exists(experiment.out + "/notes.txt"));
}

TEST(Run, FailedCellsAreRunAgainOnRequest) {
  const Experiment experiment;
  experiment.run(2);
  ::setenv("WCODEC_TEST_MENDED", "1", 1);
  const RunOutcome again = experiment.run(2, false, true).outcome;
  ::unsetenv("WCODEC_TEST_MENDED");
  EXPECT_EQ(again.finished, 3u);
  EXPECT_EQ(again.failed, 3u);
}

// Killed at random moments until it is through: the files are those of an undisturbed run, and no kill costs more than
// the cell that each worker was on.
TEST(Run, AKilledRunResumesToTheSameFiles) {
  const Experiment undisturbed;
  undisturbed.run(2);
  ::setenv("WCODEC_TEST_SLOW_US", "15000", 1);
  const Experiment killed;
  std::mt19937 random(3);
  std::size_t kills = 0;
  for (int round = 0; round < 20; ++round) {
    const pid_t child = killed.start(2);
    std::this_thread::sleep_for(std::chrono::milliseconds(std::uniform_int_distribution(0, 250)(random)));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (WIFEXITED(status)) {
      EXPECT_EQ(WEXITSTATUS(status), 0);
      break;
    }
    ++kills;
  }
  killed.run(2);
  ::unsetenv("WCODEC_TEST_SLOW_US");
  EXPECT_GT(kills, 2u);
  EXPECT_EQ(killed.files(), undisturbed.files());
  EXPECT_LE(killed.begun().size(), kCells + 2 * kills + 3) << kills << " kills";
}

TEST(Run, AnInterruptIsACleanStop) {
  ::setenv("WCODEC_TEST_SLOW_US", "20000", 1);
  const Experiment experiment;
  const pid_t child = experiment.start(2);
  while (experiment.begun().size() < 5) ::usleep(1000);
  ::kill(child, SIGTERM);
  int status = 0;
  ::waitpid(child, &status, 0);
  ::unsetenv("WCODEC_TEST_SLOW_US");
  EXPECT_EQ(WEXITSTATUS(status), 130);
  EXPECT_FALSE(fs::exists(experiment.out + "/summary.csv"));
  EXPECT_FALSE(fs::exists(experiment.out + "/ledger.sqlite-wal"));
  const RunOutcome rest = experiment.run(2).outcome;
  EXPECT_GE(rest.reused, 3u);
  EXPECT_EQ(rest.reused + rest.finished + rest.failed, kCells);
}

TEST(Run, TwoRunnersInOneFolderAreRefused) {
  ::setenv("WCODEC_TEST_SLOW_US", "20000", 1);
  const Experiment experiment;
  const pid_t child = experiment.start(1);
  while (experiment.begun().empty()) ::usleep(1000);
  const std::string said = testing::error_of([&] { experiment.run(); }, ErrorKind::usage);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::unsetenv("WCODEC_TEST_SLOW_US");
  EXPECT_THAT(said, HasSubstr("process " + std::to_string(child)));
}

TEST(Run, AChangedConfigIsSaidAndReusesWhatItCan) {
  Experiment experiment;
  experiment.run(2);
  experiment.text = testing::edited(kExperiment, "tile: [8x32, 16x16]", "tile: [16x16, 64x64]");
  experiment.make();
  const auto changed = experiment.run(2);
  EXPECT_THAT(changed.said, HasSubstr("an earlier version of exp.yaml"));
  EXPECT_EQ(changed.outcome.cells, kCells);
  EXPECT_EQ(changed.outcome.reused, 3u * (12 + 2));
  EXPECT_THAT(read_text_file(experiment.out + "/summary.csv"), Not(HasSubstr("8x32")));
  EXPECT_THAT(read_text_file(experiment.out + "/histograms.csv"), Not(HasSubstr("8x32")));

  experiment.text = testing::edited(kExperiment, "experiment: faked", "experiment: another");
  experiment.make();
  EXPECT_THAT(testing::error_of([&] { experiment.run(); }, ErrorKind::usage), HasSubstr("experiment 'faked'"));
  EXPECT_EQ(experiment.run(2, true).outcome.reused, 0u);
}

TEST(Run, TimingsRunAloneOnceEachAndOnlyForFinishedCells) {
  Experiment experiment(kExperiment + "measure: {timing: {repeats: 4, warmup: 1}}\n");
  const RunOutcome outcome = experiment.run(2).outcome;
  // Of the cells of control `original` (4 codecs and a baseline a tensor and quantizer) none failed.
  EXPECT_EQ(outcome.timed + outcome.timings_failed, 3u * 2 * 5);
  EXPECT_EQ(outcome.timings_failed, 3u * 2);
  const std::string timings = read_text_file(experiment.out + "/timings.csv");
  EXPECT_THAT(timings, HasSubstr("throttled"));
  EXPECT_THAT(read_text_file(experiment.out + "/failures.csv"), HasSubstr("timing: no room"));
  const RunOutcome again = experiment.run(2).outcome;
  EXPECT_EQ(again.timed, 0u);
  EXPECT_EQ(again.timings_failed, 3u * 2) << "a failed timing is tried again";
  EXPECT_EQ(read_text_file(experiment.out + "/timings.csv"), timings);
}

TEST(Run, DiagnosticsLostToAKillAreMadeUp) {
  const Experiment experiment;
  experiment.run(1);
  const std::string files = experiment.files();
  const Store store(experiment.out);
  EXPECT_TRUE(pending_cells(experiment.config, experiment.plan, &store, 1, false).tasks.empty());
  // A ledger with all cells and no diagnostics.
  const Experiment bare;
  {
    Store copy(bare.out);
    for (const auto& [hash, record] : store.cells()) copy.record(record);
    copy.finish();
  }
  const PendingWork pending = [&] {
    const Store copied(bare.out);
    return pending_cells(bare.config, bare.plan, &copied, 1, false);
  }();
  EXPECT_EQ(pending.cells, 0u) << "no finished cell is run again";
  EXPECT_EQ(pending.tasks.size(), 3u * 2);
  EXPECT_EQ(bare.run(1).outcome.finished, 0u);
  EXPECT_EQ(bare.files(), files);
}

TEST(Run, DiagnosticsDependOnThePlanAlone) {
  const Experiment experiment;
  const std::vector<Cell> cells = diagnostic_cells(experiment.config, experiment.plan);
  ASSERT_EQ(cells.size(), 3u * 2 * 3);
  for (const Cell& cell : cells) {
    EXPECT_EQ(cell.tile, "8x32");
    EXPECT_EQ(cell.modes, "none+left");
  }
  const Experiment fewer(testing::edited(kExperiment, "[[none], [none, left]]", "[[none]]"));
  EXPECT_NE(diagnostic_cells(fewer.config, fewer.plan).front().hash, cells.front().hash);
}

TEST(Run, HeavyTasksAreDividedWithoutLosingACell) {
  Experiment experiment;
  for (PlannedTensor& tensor : experiment.plan.tensors) tensor.info.rows = tensor.info.cols = 20'000;
  const Store store(experiment.out);
  const PendingWork whole = pending_cells(experiment.config, experiment.plan, &store, 1, false);
  const PendingWork divided = pending_cells(experiment.config, experiment.plan, &store, 16, false);
  EXPECT_EQ(whole.tasks.size(), 6u + 6u) << "cells and diagnostics";
  EXPECT_GT(divided.tasks.size(), 24u);
  EXPECT_EQ(divided.cells, whole.cells);
  EXPECT_EQ(whole.cells, kCells);
}

}  // namespace
}  // namespace wcodec
