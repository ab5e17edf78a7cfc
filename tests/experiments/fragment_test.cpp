#include "experiments/fragment.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "core/error.hpp"

namespace wcodec {
namespace {

namespace fs = std::filesystem;

class Fragments : public ::testing::Test {
 protected:
  Fragments() {
    std::string name = (fs::temp_directory_path() / "wcodec-fragment-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    path_ = folder_ + "/a.fragment";
  }
  ~Fragments() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  std::string text() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void put(const std::string& text) const { std::ofstream(path_, std::ios::binary) << text; }

  static CellRecord finished(const std::string& hash) {
    CellRecord record{hash, CellStatus::finished, {}, {}};
    record.result.hash = hash;
    record.result.weights = 12;
    record.result.gm_bpw = std::nan("");
    record.result.h0_bpw = 0.1;
    return record;
  }

  std::string folder_, path_;
};

TEST_F(Fragments, ReadBackWhatWasRecorded) {
  {
    FragmentWriter writer(path_);
    writer.record(finished("a"));
    writer.record({"b", CellStatus::timeout, {}, "took longer than 1 s \xff"});
    writer.record_diagnostics("c", {"shuffled", "int8", {{"symbols", "none", {{-1, 5}}}}, {{0, 1, 0.25}}});
    writer.record_timing({"d", {10, 5, {0.5, 0.25}, {0.125}}, 1, std::nan(""), false});
    writer.record_failed_pass("e", "no room");
    writer.sync();
  }
  const Fragment read = read_fragment(path_);
  EXPECT_EQ(read.dropped, 0U);
  ASSERT_EQ(read.cells.size(), 2U);
  EXPECT_EQ(read.cells[0].result.weights, 12U);
  EXPECT_EQ(read.cells[0].result.h0_bpw, 0.1);
  EXPECT_TRUE(std::isnan(read.cells[0].result.gm_bpw));
  EXPECT_EQ(read.cells[1].status, CellStatus::timeout);
  EXPECT_THAT(read.cells[1].reason, ::testing::StartsWith("took longer"));
  ASSERT_EQ(read.diagnostics.size(), 1U);
  EXPECT_EQ(read.diagnostics[0].second.correlations[0].rho, 0.25);
  ASSERT_EQ(read.timings.size(), 1U);
  EXPECT_THAT(read.timings[0].timed.encode_seconds, ::testing::ElementsAre(0.5, 0.25));
  EXPECT_THAT(read.failed_passes, ::testing::ElementsAre(::testing::Pair("e", "no room")));
}

TEST_F(Fragments, AnAbsentOneIsEmptyAndAFolderIsAnError) {
  EXPECT_TRUE(read_fragment(path_).cells.empty());
  EXPECT_THROW(FragmentWriter(folder_ + "/absent/a.fragment"), Error);
}

// Cut at every byte: whole lines are kept, the torn one is dropped, and what is appended behind it is whole.
TEST_F(Fragments, ATornLineCostsItsRecordOnly) {
  {
    FragmentWriter writer(path_);
    writer.record(finished("a"));
    writer.record(finished("b"));
  }
  const std::string whole = text();
  const std::size_t first = whole.find('\n') + 1;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    put(whole.substr(0, size));
    {
      FragmentWriter writer(path_);
      writer.record(finished("c"));
    }
    const Fragment read = read_fragment(path_);
    const std::size_t kept = size + 1 >= whole.size() ? 2 : size + 1 >= first ? 1 : 0;
    ASSERT_EQ(read.cells.size(), kept + 1) << size;
    EXPECT_EQ(read.cells.back().hash, "c");
    EXPECT_EQ(read.cells.front().hash, kept == 0 ? "c" : "a");
  }
}

TEST_F(Fragments, ADamagedLineIsDropped) {
  {
    FragmentWriter writer(path_);
    writer.record(finished("a"));
    writer.record(finished("b"));
  }
  const std::string whole = text();
  for (std::size_t at = 0; at < whole.find('\n'); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 4);
    put(damaged);
    const Fragment read = read_fragment(path_);
    ASSERT_EQ(read.cells.size(), 1U) << at;
    EXPECT_EQ(read.cells[0].hash, "b");
    EXPECT_GE(read.dropped, 1U);
  }
}

TEST_F(Fragments, ALineThatFitsItsChecksumAndSaysNonsenseIsDropped) {
  put("aaaaaaaa {}\n\n12345678\n00000000 \n");
  const Fragment read = read_fragment(path_);
  EXPECT_TRUE(read.cells.empty());
  EXPECT_EQ(read.dropped, 3U);
}

}  // namespace
}  // namespace wcodec
