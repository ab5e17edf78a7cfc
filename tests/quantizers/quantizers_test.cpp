#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "quantizers/half.hpp"
#include "quantizers/planes.hpp"
#include "quantizers/registry.hpp"

namespace wcodec {
namespace {

using ::testing::HasSubstr;

std::vector<u8> bytes_of(const std::vector<float>& values) {
  std::vector<u8> bytes(values.size() * 4);
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

std::vector<float> gaussian(i64 rows, i64 cols, u64 seed) {
  Philox random(seed, 0);
  std::vector<float> values(static_cast<std::size_t>(rows * cols));
  for (i64 r = 0; r < rows; ++r) {
    for (i64 c = 0; c < cols; ++c)
      values[static_cast<std::size_t>(r * cols + c)] =
          static_cast<float>(random.normal() * 0.02 * (1.0 + 0.1 * static_cast<double>(r)));
  }
  return values;
}

std::vector<int> words_of(const QuantizedTensor& tensor) {
  std::vector<int> out;
  for (u64 i = 0; i < tensor.weights(); ++i)
    out.push_back(static_cast<int>(word_value(tensor.format, load_word(tensor.format, tensor.words.data(), i))));
  return out;
}

TEST(Half, RoundTripsEveryValue) {
  for (u32 bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<u16>(bits);
    if (!std::isnan(f16_to_float(half))) {
      EXPECT_EQ(float_to_f16(f16_to_float(half)), half);
    }
    if (!std::isnan(bf16_to_float(half))) {
      EXPECT_EQ(float_to_bf16(bf16_to_float(half)), half);
    }
  }
  EXPECT_EQ(float_to_f16(2049.0f), 0x6800);  // a tie goes to even
  EXPECT_EQ(float_to_f16(2051.0f), 0x6802);
  EXPECT_EQ(float_to_f16(65520.0f), 0x7c00);
  EXPECT_EQ(float_to_f16(0x1.8p-25f), 0x0001);
}

TEST(Int8, RowScalesAsDefined) {
  const std::vector<float> values = {1.0f, -2.0f, 0.5f, 0.0f, 0.0f, 0.0f};
  const auto bytes = bytes_of(values);
  const auto choice = parse_quantizer("int8:axis=row");
  const QuantizedTensor q = choice.row->quantize({"t", DType::f32, 2, 3, bytes}, choice.spec);
  EXPECT_EQ(words_of(q), (std::vector<int>{64, -127, 32, 0, 0, 0}));  // 63.5 and 31.75 round to even and to nearest
  EXPECT_EQ(q.scales.size(), 8u);
  const auto back = choice.row->dequantize(q, choice.spec);
  EXPECT_NEAR(back[1], -2.0f, 1e-6);
}

TEST(EveryNumericQuantizer, ErrorIsWithinHalfAStep) {
  constexpr i64 kRows = 9, kCols = 37;
  const auto values = gaussian(kRows, kCols, 5);
  const auto bytes = bytes_of(values);
  for (const char* text :
       {"int8:axis=tensor", "int8:axis=row", "int8:axis=column", "int8:group=16", "int8:group=16,scale=f16",
        "int4:group=32", "int4:axis=row", "int4:group=32,symmetric=false", "fp8", "fp8:format=e5m2,axis=tensor"}) {
    const auto choice = parse_quantizer(text);
    const QuantizedTensor q = choice.row->quantize({"t", DType::f32, kRows, kCols, bytes}, choice.spec);
    const auto back = choice.row->dequantize(q, choice.spec);
    float largest = 0, worst = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      largest = std::max(largest, std::fabs(values[i]));
      worst = std::max(worst, std::fabs(values[i] - back[i]));
    }
    // In steps of the largest magnitude: FP8's steps are widest in the top binade, 2^-3 or 2^-2 of it.
    const sv spec(text);
    const float levels = spec.starts_with("int8")                                          ? 127.0f
                         : spec.starts_with("fp8:format=e5m2") || spec.starts_with("int4") ? 7.0f
                                                                                           : 14.0f;
    EXPECT_LE(worst, largest / levels * 0.51f) << text;
  }
}

TEST(Clip, MseIsNeverWorseThanAbsmax) {
  const auto values = gaussian(16, 256, 6);
  const auto bytes = bytes_of(values);
  double error[2] = {};
  int k = 0;
  for (const char* text : {"int4:group=128", "int4:group=128,clip=mse"}) {
    const auto choice = parse_quantizer(text);
    const auto back =
        choice.row->dequantize(choice.row->quantize({"t", DType::f32, 16, 256, bytes}, choice.spec), choice.spec);
    for (std::size_t i = 0; i < values.size(); ++i) error[k] += std::pow(values[i] - back[i], 2);
    ++k;
  }
  EXPECT_LT(error[1], error[0] * 0.95);  // known to help at four bits
}

TEST(Fp8, EveryFiniteCodeIsAFixedPoint) {
  for (const char* format : {"e4m3", "e5m2"}) {
    const auto choice = parse_quantizer(std::string("fp8:axis=tensor,format=") + format);
    const WordFormat words = word_format(info(format == std::string("e4m3") ? DType::f8_e4m3 : DType::f8_e5m2));
    std::vector<float> values;
    for (unsigned w = 0; w < 256; ++w) {
      if (!std::isnan(word_value(words, w))) values.push_back(static_cast<float>(word_value(words, w)));
    }
    const auto bytes = bytes_of(values);
    const auto q = choice.row->quantize({"t", DType::f32, 1, static_cast<i64>(values.size()), bytes}, choice.spec);
    const auto back = choice.row->dequantize(q, choice.spec);
    EXPECT_EQ(back, values) << format;
  }
}

TEST(Quantizers, RefuseWhatIsNotFinite) {
  const auto bytes = bytes_of({1.0f, std::nanf("")});
  const auto choice = parse_quantizer("int8");
  try {
    choice.row->quantize({"layer\x1b[31m", DType::f32, 1, 2, bytes}, choice.spec);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
    EXPECT_THAT(error.what(), HasSubstr("layer\\x1b[31m"));
  }
}

TEST(Quantizers, CanonicalSpecsSayWhatSharesAScale) {
  EXPECT_EQ(to_string(parse_quantizer("int8")), "int8:axis=row");
  EXPECT_EQ(to_string(parse_quantizer("int8:axis=group,group=64")), "int8:group=64");
  EXPECT_EQ(to_string(parse_quantizer("int8:group=64,clip=absmax")), "int8:group=64");
  EXPECT_EQ(to_string(parse_quantizer("int4")), "int4:group=128");
  EXPECT_EQ(to_string(parse_quantizer("int4:axis=row")), "int4:axis=row");
  EXPECT_EQ(to_string(parse_quantizer("int4:clip=mse,scale=f32")), "int4:clip=mse,group=128,scale=f32");
  EXPECT_EQ(to_string(parse_quantizer("lossless")), "lossless");
  EXPECT_THROW(parse_quantizer("int9"), Error);
  EXPECT_THROW(parse_quantizer("int8:axis=diagonal"), Error);
  EXPECT_THROW(parse_quantizer("int8:group=1"), Error);
}

class EveryDType : public ::testing::TestWithParam<int> {};

TEST_P(EveryDType, PlanesRoundTrip) {
  const DTypeInfo& d = info(static_cast<DType>(GetParam()));
  constexpr i64 kRows = 33, kCols = 61;
  Philox random(11, static_cast<u64>(GetParam()));
  std::vector<u8> bytes(static_cast<std::size_t>(kRows * kCols * d.memory_bytes));
  for (u8& byte : bytes) {
    byte = static_cast<u8>(random.next32());
    if (d.bits < 8) {  // sub-byte words come sign-extended or zero-padded
      const int low = byte & ((1 << d.bits) - 1);
      byte = static_cast<u8>(d.number == NumberClass::signed_int && low >> (d.bits - 1) ? low - (1 << d.bits) : low);
    }
  }
  const auto choice = parse_quantizer("lossless");
  const QuantizedTensor q =
      choice.row->quantize({"t", static_cast<DType>(GetParam()), kRows, kCols, bytes}, choice.spec);
  std::vector<std::vector<u8>> symbols;
  int bits = 0;
  for (const SymbolPlane& plane : split_planes(q)) {
    bits += plane.info.bits;
    for (const u8 symbol : plane.symbols) ASSERT_LT(symbol, 1 << plane.info.bits);
    symbols.push_back(plane.symbols);
  }
  EXPECT_EQ(bits, d.bits);
  EXPECT_EQ(join_planes(q.format, symbols, q.weights()), bytes);
}

INSTANTIATE_TEST_SUITE_P(DTypes, EveryDType, ::testing::Range(0, 23),
                         [](const auto& p) { return std::string(wcodec::info(static_cast<DType>(p.param)).name); });

TEST(Planes, Bf16FieldsAreExponentAndSignMantissa) {
  const u16 word = float_to_bf16(-1.5f);  // sign 1, exponent 127, mantissa 1000000
  QuantizedTensor q{1, 1, word_format(info(DType::bf16)), {static_cast<u8>(word), static_cast<u8>(word >> 8)}, {}};
  const auto planes = split_planes(q);
  ASSERT_EQ(planes.size(), 2u);
  EXPECT_EQ(planes[0].symbols[0], 127);
  EXPECT_EQ(planes[1].symbols[0], 0xc0);
}

TEST(OrderKey, FollowsTheValue) {
  for (const DType dtype : {DType::int8, DType::int4, DType::bf16, DType::f32, DType::f8_e4m3}) {
    const WordFormat f = word_format(info(dtype));
    Philox random(1, static_cast<u64>(dtype));
    for (int i = 0; i < 2000; ++i) {
      u64 a = random.next64(), b = random.next64();
      const u64 mask = f.memory_bytes == 1 ? 0xff : f.memory_bytes == 2 ? 0xffff : 0xffffffff;
      a &= mask;
      b &= mask;
      if (f.bits == 4) {
        a = static_cast<u8>(static_cast<i8>(a << 4) >> 4);
        b = static_cast<u8>(static_cast<i8>(b << 4) >> 4);
      }
      const double va = word_value(f, a), vb = word_value(f, b);
      EXPECT_EQ(word_of_order_key(f, order_key(f, a)), a);
      if (va < vb) {
        EXPECT_LT(order_key(f, a), order_key(f, b));
      }
    }
  }
}

}  // namespace
}  // namespace wcodec
