// The driver's end of an engine, with adapters that are a few lines of shell.
#include "experiments/engine.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "core/error.hpp"
#include "experiments/fragment.hpp"

namespace wcodec {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Engines : public ::testing::Test {
 protected:
  Engines() {
    std::string name = (fs::temp_directory_path() / "wcodec-engine-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    WorkerTask task;
    task.address = "synthetic:gaussian:rows=8,cols=8";
    task.quantizer = "int8";
    task.weights = 64;
    for (const char* hash : {"a", "b"}) {
      Cell cell;
      cell.hash = hash;
      cell.quantizer = "int8";
      cell.modes = "none";
      cell.tile = "16x16";
      cell.coder = "raw";
      task.cells.push_back(cell);
    }
    units_.push_back(make_unit(task, 60, 0));
    events_.done = [this](const WorkerTask& of, std::size_t cell, const CellResult& result) {
      EXPECT_EQ(of.cells[cell].hash, result.hash);
      told_.push_back(result.hash + " done");
    };
    events_.failed = [this](const WorkerTask& of, std::size_t cell, CellStatus status, const std::string& reason) {
      told_.push_back(of.cells[cell].hash + " " + std::string(to_string(status)) + ": " + reason);
    };
    events_.diagnostics = [](const WorkerTask&, const Diagnostics&) {};
    events_.timed = [](const WorkerTask&, const TimingRecord&) {};
    events_.commit = [] {};
    events_.said = [this](const std::string& line) { told_.push_back("said " + line); };
    events_.go_on = [] { return true; };
    options_.fragments = folder_ + "/fragments";
    fs::create_directories(options_.fragments);
  }
  ~Engines() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  // An adapter that reads its job and then says `lines`.
  void answer_with(const std::string& lines, int status = 0) {
    std::ofstream(folder_ + "/answers") << lines;
    options_.adapter = {"/bin/sh", "-c",
                        "while read -r line; do case $line in *'\"end\"'*) break;; esac; done; cat '" + folder_ +
                            "/answers' >&3; echo last words >&2; exit " + std::to_string(status)};
  }
  std::string fragment(const std::string& name, const std::vector<std::string>& finished) {
    const std::string path = options_.fragments + "/" + name + ".fragment";
    FragmentWriter writer(path);
    for (const std::string& hash : finished) {
      CellRecord record{hash, CellStatus::finished, {}, {}};
      record.result.hash = hash;
      writer.record(record);
    }
    return path;
  }
  std::string over(const std::string& path) {
    return R"({"over": ")" + units_[0].name + R"(", "fragment": ")" + path + "\"}\n";
  }

  std::string folder_;
  std::vector<WorkUnit> units_;
  EngineOptions options_;
  PoolEvents events_;
  std::vector<std::string> told_;
};

TEST_F(Engines, MergeEachCellOnceAndRemoveTheFragment) {
  const std::string first = fragment("first", {"a", "b"}), again = fragment("again", {"b", "a"});
  answer_with(over(first) + over(again) + R"({"over": "unknown", "fragment": "/nowhere"})" +
              "\n{\"finished\": true}\n");
  EXPECT_TRUE(run_units(units_, options_, events_));
  std::erase_if(told_, [](const std::string& line) { return line.starts_with("said"); });
  EXPECT_THAT(told_, ElementsAre("a done", "b done"));
  EXPECT_FALSE(fs::exists(first));
  EXPECT_FALSE(fs::exists(again));
}

TEST_F(Engines, ACellThatAFragmentLacksHasFailed) {
  answer_with(over(fragment("half", {"a"})) + "{\"finished\": true}\n");
  EXPECT_TRUE(run_units(units_, options_, events_));
  EXPECT_THAT(told_, ::testing::Contains(HasSubstr("b crashed: the machine that ran this cell said nothing")));
}

TEST_F(Engines, ALostUnitFailsItsCellsWithTheReason) {
  answer_with(R"({"lost": ")" + units_[0].name + R"(", "reason": "no node"})" + "\n{\"finished\": true}\n");
  EXPECT_TRUE(run_units(units_, options_, events_));
  EXPECT_THAT(told_, ::testing::IsSupersetOf({"a crashed: no node", "b crashed: no node"}));
}

TEST_F(Engines, OneThatDiesIsAnErrorWithItsLastWordsAndKeepsWhatCameHome) {
  answer_with(over(fragment("all", {"a", "b"})), 3);
  try {
    run_units(units_, options_, events_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("left with exit status 3 before its work was done: last words"));
  }
  EXPECT_THAT(told_, ::testing::IsSupersetOf({"a done", "b done"}));
}

TEST_F(Engines, StopWhenTheyAreTold) {
  options_.adapter = {"/bin/sh", "-c", "cat >/dev/null"};
  events_.go_on = [] { return false; };
  EXPECT_FALSE(run_units(units_, options_, events_));
}

TEST_F(Engines, FragmentsOfAKilledRunAreMergedOnce) {
  const std::string path = fragment("left", {"a", "b"});
  std::ofstream(options_.fragments + "/other.partial") << "torn";
  Store store(folder_);
  EXPECT_EQ(merge_fragments(options_.fragments, store), 2U);
  EXPECT_EQ(store.cells().size(), 2U);
  EXPECT_FALSE(fs::exists(path));
  EXPECT_EQ(merge_fragments(options_.fragments, store), 0U);
  EXPECT_EQ(merge_fragments(folder_ + "/absent", store), 0U);
}

TEST_F(Engines, UnknownNamesSuggestKnownOnes) {
  try {
    engine_adapter("rai");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("did you mean 'ray'"));
  }
}

TEST(WorkUnits, ComeBackFromTheirLineAndNameWhatTheyHold) {
  WorkerTask task;
  task.address = "a.safetensors";
  task.views = {{"*.codes", "int4"}};
  task.tensor = 3;
  task.quantizer = "int8";
  task.name = "m: \xff t";
  task.shard = "a.safetensors#0";
  task.weights = 1000;
  task.cells.resize(2);
  task.cells[0].hash = "a";
  task.cells[1].hash = "b";
  for (Cell& cell : task.cells) {
    cell.quantizer = "int8";
    cell.modes = "none";
    cell.tile = "16x16";
    cell.coder = "raw";
  }
  const WorkUnit measured = make_unit(task, 60, 512);
  task.timing = TimingOptions{5, 2, 7, 1.0};
  const WorkUnit timed = make_unit(task, 60, 512);
  EXPECT_NE(measured.name, timed.name);
  EXPECT_EQ(timed.pass(), Pass::time);
  EXPECT_DOUBLE_EQ(timed.seconds, 7 * measured.seconds);
  const WorkUnit back = unit_from_line(to_line(timed));
  EXPECT_EQ(back.name, timed.name);
  EXPECT_EQ(back.task.cells.size(), 2U);
  EXPECT_EQ(back.task.timing->repeats, 5);
  EXPECT_EQ(back.memory_mib, 512U);
  for (const char* bad : {"", "{", "{}", "[]", R"({"unit": 3})"}) EXPECT_THROW(unit_from_line(bad), Error) << bad;
}

}  // namespace
}  // namespace wcodec
