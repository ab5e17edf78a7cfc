// Weights from the GPU are what dequantize_words makes of the words, to the bit.
#include "codec/gpu_dequantize.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "tests/codec/sample_tensor.hpp"
#include "tests/gpu/decode_on_gpu.hpp"

namespace wcodec {
namespace {

class GpuDequantizeTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = why_no_gpu(); !why.empty()) GTEST_SKIP() << "GPU tests need a GPU: " << why;
  }
};

struct Case {
  TileShape tile;
  std::vector<std::string> modes;
  const char *transform, *coder;
};

// Records that are plain, in tiles that pass through shared memory, and in tiles that do not.
const Case kCases[] = {{kUntiled, {"none"}, "identity", "prefix:low=4,chunk=2048"},
                       {kUntiled, {"none"}, "identity", "prefix:low=2"},
                       {kUntiled, {"none"}, "identity", "rans:precision=12"},
                       {kUntiled, {"none"}, "identity", "raw"},
                       {{16, 16}, {"none", "left", "avg"}, "probe", "prefix"},
                       {{12, 20}, {"none", "planar"}, "identity", "prefix"},
                       {{7, 5}, {"med"}, "identity", "raw"},
                       {{100, 64}, {"left"}, "dct8", "rans"}};

void expect_same(const QuantizedTensor& tensor, const Case& one, const Scaling& scaling, bool has_zero_points) {
  const EncodedTensor encoded = encode_tensor(tensor, one.tile, parse_mode_set(one.modes), parse_coder(one.coder),
                                              parse_transform_set(one.transform));
  const GpuPlan plan = plan_gpu_decode(encoded.bytes);
  Philox random(4, 4);
  std::vector<float> scales(scale_count(scaling, tensor.rows, tensor.cols));
  for (float& scale : scales) scale = std::bit_cast<float>(static_cast<u32>(random.below(0x50000000) + 0x10000000));
  std::vector<u8> zero_points(has_zero_points ? scales.size() : 0);
  for (u8& zero_point : zero_points) zero_point = static_cast<u8>(random.below(16));
  const ScalePlaces places = scale_places(scaling, tensor.cols);
  const auto* const scale_bytes = reinterpret_cast<const u8*>(scales.data());
  const DeviceBuffer image{Bytes(plan.image)}, scales_there(Bytes(scale_bytes, 4 * scales.size())),
      zero_points_there{Bytes(zero_points)}, scratch(gpu_weights_scratch_size(plan)), status(8);
  for (const FloatOutput output : {FloatOutput::bf16, FloatOutput::f16, FloatOutput::f32}) {
    std::vector<u8> expected(tensor.weights() * static_cast<u64>(float_bytes(output)));
    dequantize_words(tensor, places, scales, zero_points, output, expected);
    const DeviceBuffer weights(expected.size());
    weights.fill(0xa5);
    status.fill(0);
    gpu_decode_weights(plan,
                       {output, places, reinterpret_cast<const float*>(scales_there.data()), zero_points_there.data()},
                       image.data(), weights.data(), scratch.data(), reinterpret_cast<u64*>(status.data()), nullptr);
    cuda_check(cudaDeviceSynchronize());
    ASSERT_EQ(status.read(), std::vector<u8>(8));
    ASSERT_EQ(weights.read(), expected) << one.coder << " " << to_string(one.tile) << ", output "
                                        << static_cast<int>(output) << ", " << tensor.rows << " x " << tensor.cols;
  }
}

TEST_F(GpuDequantizeTest, EveryPathFormatAndAxisAsOnTheCpu) {
  const Scaling scalings[] = {{.axis = Axis::tensor},
                              {.axis = Axis::row},
                              {.axis = Axis::column},
                              {.axis = Axis::group, .group = 32},
                              {.axis = Axis::group, .group = 7}};
  for (const DType dtype : {DType::int8, DType::int4, DType::uint4, DType::f8_e4m3, DType::f8_e5m2}) {
    SCOPED_TRACE(info(dtype).name);
    for (const auto& [rows, cols] : {std::pair{48, 160}, {37, 101}, {130, 64}}) {
      const QuantizedTensor tensor = sample_tensor(dtype, rows, cols, 8);
      for (const Case& one : kCases) {
        for (const Scaling& scaling : scalings) {
          expect_same(tensor, one, scaling, dtype == DType::uint4);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST_F(GpuDequantizeTest, LongRows) {
  const QuantizedTensor tensor = sample_tensor(DType::int8, 2, 70000, 8);
  expect_same(tensor, kCases[0], {.axis = Axis::group, .group = 128}, false);
  expect_same(tensor, kCases[4], {.axis = Axis::row}, false);
}

TEST_F(GpuDequantizeTest, WordsOfSeveralPlanesAreRefused) {
  const EncodedTensor encoded =
      encode_tensor(sample_tensor(DType::bf16, 8, 8, 1), kUntiled, parse_mode_set({"none"}), parse_coder("prefix"));
  const GpuPlan plan = plan_gpu_decode(encoded.bytes);
  EXPECT_THROW(gpu_decode_weights(plan, {}, nullptr, nullptr, nullptr, nullptr, nullptr), Error);
}

}  // namespace
}  // namespace wcodec
