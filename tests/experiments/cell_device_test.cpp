#include "experiments/cell_device.hpp"

#include <gmock/gmock.h>

#include "core/error.hpp"
#include "experiments/gpu_cells.hpp"

namespace wcodec {
namespace {

using ::testing::HasSubstr;

TEST(CellDevice, NamesComeBackInOneSpelling) {
  const struct {
    const char *text, *canonical;
    CellDevice::Kind kind;
    int gpu;
  } rows[] = {{"cpu", "cpu", CellDevice::Kind::core, 0},
              {"cpu:scalar", "cpu:scalar", CellDevice::Kind::scalar_core, 0},
              {"cpu:all", "cpu:all", CellDevice::Kind::all_cores, 0},
              {"cuda", "cuda:0", CellDevice::Kind::gpu, 0},
              {"cuda:3", "cuda:3", CellDevice::Kind::gpu, 3}};
  for (const auto& row : rows) {
    const CellDevice device = parse_cell_device(row.text);
    EXPECT_EQ(device.kind, row.kind) << row.text;
    EXPECT_EQ(device.gpu, row.gpu) << row.text;
    EXPECT_EQ(to_string(device), row.canonical);
  }
}

TEST(CellDevice, OthersAreRefused) {
  for (const char* text : {"", "gpu", "cuda:", "cuda:-1", "cuda:1x", "cuda:99999999999", "cpu:2", "CPU"}) {
    try {
      parse_cell_device(text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage);
      EXPECT_THAT(error.what(), HasSubstr("unknown device"));
    }
  }
}

TEST(CellDevice, AutomaticIsWhatThereIs) {
  EXPECT_EQ(automatic_device(), why_no_gpu_cells().empty() ? "cuda:0" : "cpu");
}

// What a GPU lacks is said in a way that the ledger records as unavailable, not as failed.
TEST(GpuCells, WithoutAGpuACellIsUnavailable) {
  if (why_no_gpu_cells().empty()) GTEST_SKIP() << "the absence of a GPU cannot be tested where one is";
  try {
    decode_words_on_gpu({}, 0);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
    EXPECT_EQ(std::string(error.what()), kUnavailable + why_no_gpu_cells());
  }
}

}  // namespace
}  // namespace wcodec
