// Weights in a model's type: as the quantizers have them, rounded once.
#include "quantizers/dequantize.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "quantizers/planes.hpp"
#include "quantizers/registry.hpp"

namespace wcodec {
namespace {

// The nearest of the two 16-bit floats around a value, the even one where both are as near: by search, not by bits.
template <class ToFloat>
u16 nearest(float value, u16 infinity, ToFloat to_float) {
  const u16 sign = std::signbit(value) ? 0x8000 : 0;
  const double magnitude = std::fabs(static_cast<double>(value));
  u16 below = 0;
  for (u32 step = 0x4000; step > 0; step /= 2) {
    const auto next = static_cast<u16>(below + step);
    if (next < infinity && static_cast<double>(to_float(next)) <= magnitude) below = next;
  }
  const auto above = static_cast<u16>(below + 1);
  const double low = to_float(below);
  // One more step above the largest number is where infinity would be.
  const double high = above == infinity ? 2 * low - static_cast<double>(to_float(static_cast<u16>(below - 1)))
                                        : static_cast<double>(to_float(above));
  const bool up = magnitude - low > high - magnitude || (magnitude - low == high - magnitude && below % 2 == 1);
  return static_cast<u16>(sign | (up ? above : below));
}

TEST(Rounding, ToSixteenBitsIsToNearestEven) {
  Philox random(1, 2);
  for (int i = 0; i < 200000; ++i) {
    u32 bits = random.next64() & 0xffffffff;
    if (i % 4 == 0) bits &= 0xffffe000;                       // on numbers of f16
    if (i % 4 == 1) bits = (bits & 0xffffe000) | 0x1000;      // on ties
    if (i % 2 == 0) bits = (bits & 0x8fffffff) | 0x30000000;  // within the range of f16
    const auto value = std::bit_cast<float>(bits);
    if (!std::isfinite(value)) continue;
    ASSERT_EQ(float_to_f16(value), nearest(value, 0x7c00, f16_to_float)) << bits;
    ASSERT_EQ(float_to_bf16(value), nearest(value, 0x7f80, bf16_to_float)) << bits;
  }
  EXPECT_EQ(float_to_f16(std::nanf("")) & 0x7fff, 0x7e00);
  EXPECT_EQ(float_to_f16(-INFINITY), 0xfc00);
  EXPECT_EQ(float_to_bf16(INFINITY), 0x7f80);
}

TEST(Dequantize, AsTheQuantizerDoesItRoundedOnce) {
  constexpr i64 kRows = 7, kCols = 45;
  Philox random(3, 0);
  std::vector<float> values(static_cast<std::size_t>(kRows * kCols));
  for (float& v : values) v = static_cast<float>(random.normal());
  std::vector<u8> bytes(values.size() * 4);
  std::memcpy(bytes.data(), values.data(), bytes.size());
  const struct {
    const char* quantizer;
    Scaling scaling;
  } cases[] = {{"int8:axis=tensor", {.axis = Axis::tensor}},
               {"int8:axis=row", {.axis = Axis::row}},
               {"int8:axis=column", {.axis = Axis::column}},
               {"int8:group=16", {.axis = Axis::group, .group = 16}},
               {"int4:group=100,scale=f32", {.axis = Axis::group, .group = 100}},
               {"int4:group=8,symmetric=false,scale=f32", {.axis = Axis::group, .group = 8}},
               {"fp8:axis=row", {.axis = Axis::row}},
               {"fp8:format=e5m2,axis=tensor", {.axis = Axis::tensor}}};
  for (const auto& one : cases) {
    const QuantizerChoice choice = parse_quantizer(one.quantizer);
    const QuantizedTensor tensor = choice.row->quantize({"t", DType::f32, kRows, kCols, bytes}, choice.spec);
    const std::vector<float> expected = choice.row->dequantize(tensor, choice.spec);
    const u64 count = scale_count(one.scaling, kRows, kCols);
    const std::vector<float> scales = load_scales(Bytes(tensor.scales).first(4 * count), DType::f32);
    const Bytes zero_points = Bytes(tensor.scales).subspan(4 * count);
    const ScalePlaces places = scale_places(one.scaling, kCols);
    std::vector<u8> wide(4 * values.size()), bf16(2 * values.size()), f16(2 * values.size());
    dequantize_words(tensor, places, scales, zero_points, FloatOutput::f32, wide);
    dequantize_words(tensor, places, scales, zero_points, FloatOutput::bf16, bf16);
    dequantize_words(tensor, places, scales, zero_points, FloatOutput::f16, f16);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      float exact;
      u16 half[2];
      std::memcpy(&exact, wide.data() + 4 * i, 4);
      std::memcpy(&half[0], bf16.data() + 2 * i, 2);
      std::memcpy(&half[1], f16.data() + 2 * i, 2);
      ASSERT_EQ(exact, expected[i]) << one.quantizer;
      ASSERT_EQ(half[0], float_to_bf16(expected[i])) << one.quantizer;
      ASSERT_EQ(half[1], float_to_f16(expected[i])) << one.quantizer;
    }
  }
}

TEST(Dequantize, NotANumberIsTheSameEverywhere) {
  QuantizedTensor tensor{1, 2, word_format(info(DType::f8_e4m3)), {0x7f, 0xff}, {}};
  const float scale[] = {1.0f};
  std::vector<u8> out(4);
  dequantize_words(tensor, {0, 2}, scale, {}, FloatOutput::bf16, out);
  EXPECT_EQ(out, (std::vector<u8>{0xc0, 0x7f, 0xc0, 0x7f}));
}

TEST(Dequantize, RefusesWhatDoesNotFit) {
  const QuantizedTensor tensor{2, 3, word_format(info(DType::int8)), std::vector<u8>(6), {}};
  const float scales[] = {1.0f};
  std::vector<u8> out(12), small(11);
  EXPECT_NO_THROW(dequantize_words(tensor, {0, 3}, scales, {}, FloatOutput::bf16, out));
  EXPECT_THROW(dequantize_words(tensor, {1, 3}, scales, {}, FloatOutput::bf16, out), Error);
  EXPECT_THROW(dequantize_words(tensor, {0, 3}, scales, {}, FloatOutput::bf16, small), Error);
  EXPECT_THROW(word_values(word_format(info(DType::bf16))), Error);
  EXPECT_THROW(parse_float_output("fp16"), Error);
  EXPECT_EQ(parse_float_output("f16"), FloatOutput::f16);
}

}  // namespace
}  // namespace wcodec
