// Bit planes on the GPU: as on the CPU, whether planes are coded, stored or known by their contexts alone.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/codec/sample_tensor.hpp"
#include "tests/gpu/same_verdict.hpp"

namespace wcodec {
namespace {

class GpuBitPlanesTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = why_no_gpu(); !why.empty()) GTEST_SKIP() << "GPU tests need a GPU: " << why;
  }
};

std::vector<u8> encode(const QuantizedTensor& tensor, TileShape tile = kUntiled, const char* mode = "none") {
  return encode_tensor(tensor, tile, parse_mode_set({mode}), parse_coder("bitplanes")).bytes;
}

void expect_same(const QuantizedTensor& tensor, const std::vector<u8>& record) {
  ASSERT_EQ(decode_on_gpu(plan_gpu_decode(record)), tensor.words)
      << tensor.rows << " x " << tensor.cols << " words of " << tensor.format.bits << " bits";
}

TEST_F(GpuBitPlanesTest, EveryTypeAsOnTheCpu) {
  for (const DType dtype : {DType::uint8, DType::int8, DType::int16, DType::f16, DType::bf16, DType::f32, DType::int4,
                            DType::uint4, DType::int6, DType::uint5, DType::f8_e4m3, DType::f8_e8m0}) {
    SCOPED_TRACE(info(dtype).name);
    const QuantizedTensor tensor = sample_tensor(dtype, 61, 389, 1);
    expect_same(tensor, encode(tensor));
    expect_same(tensor, encode(tensor, {16, 16}, "left"));
    if (HasFatalFailure()) return;
  }
}

TEST_F(GpuBitPlanesTest, EveryLength) {
  for (const i64 weights : {1, 2, 31, 511, 512, 2047, 2048, 2049, 2305, 4096, 40001, 300007, 2000003}) {
    const QuantizedTensor tensor = sample_tensor(DType::int8, 1, weights, static_cast<u64>(weights));
    expect_same(tensor, encode(tensor));
    if (HasFatalFailure()) return;
  }
}

TEST_F(GpuBitPlanesTest, ConstantAndNoisyPlanes) {
  QuantizedTensor tensor = sample_tensor(DType::int8, 64, 256, 2);
  for (u8& word : tensor.words) word = 7;
  expect_same(tensor, encode(tensor));
  Philox random(5, 5);
  for (u8& word : tensor.words) word = static_cast<u8>(random.below(4) * 64);  // noise above constants
  expect_same(tensor, encode(tensor));
  for (u8& word : tensor.words) word = static_cast<u8>(random.below(2) == 0 ? random.below(256) : 0);
  expect_same(tensor, encode(tensor));
}

TEST_F(GpuBitPlanesTest, DamagedRecordsAreRefusedAsOnTheCpu) {
  const char* const cases = std::getenv("WCODEC_GPU_DAMAGED");
  const int count = cases != nullptr ? std::atoi(cases) : 1000;
  Verdicts verdicts;
  for (const DType dtype : {DType::int8, DType::bf16}) {
    const std::vector<u8> good = encode(sample_tensor(dtype, 23, 389, 3));
    Philox random(static_cast<u64>(dtype), 79);
    for (int i = 0; i < count / 2; ++i) {
      SCOPED_TRACE(i);
      verdicts.compare(damaged(good, 16, random));
      if (HasFatalFailure()) return;
    }
  }
  EXPECT_GT(verdicts.refused, count / 8);
  EXPECT_GT(verdicts.decoded, 0);
}

}  // namespace
}  // namespace wcodec
