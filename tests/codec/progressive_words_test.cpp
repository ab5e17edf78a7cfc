// Progressive records of floats and of wide integers: bounds in steps and in value at every number of planes,
// infinities, NaN payloads and signed zeros, and what such words have no use for.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "codec/ordered_words.hpp"
#include "codec/progressive.hpp"
#include "core/error.hpp"
#include "core/philox.hpp"
#include "quantizers/planes.hpp"

namespace wcodec {
namespace {

constexpr DType kTypes[] = {DType::f8_e4m3, DType::f8_e5m2, DType::f16,    DType::bf16,  DType::f32, DType::f8_e8m0,
                            DType::int16,   DType::uint16,  DType::uint32, DType::int32, DType::int8};

void push(QuantizedTensor& tensor, u64 word) {
  for (int b = 0; b < tensor.format.memory_bytes; ++b) tensor.words.push_back(static_cast<u8>(word >> 8 * b));
}

u64 word_at(const QuantizedTensor& tensor, u64 i) { return load_word(tensor.format, tensor.words.data(), i); }

QuantizedTensor noise(DType dtype, i64 rows, i64 cols) {
  QuantizedTensor out{rows, cols, word_format(info(dtype)), {}, {1, 2, 3}};
  Philox random(5, static_cast<u64>(dtype));
  for (i64 i = 0; i < rows * cols; ++i) push(out, u64{random.below(~0u)} << 1 ^ random.below(~0u));
  return out;
}

// Gaussian weights, rounded towards zero; integers take most of their range.
QuantizedTensor weights(DType dtype, i64 rows, i64 cols, double sigma) {
  const WordFormat format = word_format(info(dtype));
  QuantizedTensor out{rows, cols, format, {}, {}};
  Philox random(6, static_cast<u64>(dtype));
  for (i64 i = 0; i < rows * cols; ++i) {
    const double value = sigma * random.normal();
    i64 low = -(i64{1} << (format.bits - 1)), high = -low - 1;
    if (format.number == NumberClass::floating) {
      low = -1 - largest_finite(format);
      high = largest_finite(format);
      while (low < high) {
        const i64 middle = (low + high + 1) >> 1;
        if (value_of(static_cast<i32>(middle), format) <= value) {
          low = middle;
        } else {
          high = middle - 1;
        }
      }
    } else {
      low = std::clamp<i64>(std::llround(value * std::ldexp(1.0, format.bits)), low, high);
    }
    const auto unsigned_offset = u64{format.number == NumberClass::unsigned_int} << (format.bits - 1);
    if (format.number == NumberClass::floating) {
      push(out, word_of_order_key(format, static_cast<u64>(low + (i64{1} << (format.bits - 1)))));
    } else {
      push(out, static_cast<u64>(low) ^ unsigned_offset);
    }
  }
  return out;
}

// All bits set and clear, ends of exponents, zeros of both signs, and neighbours of each.
QuantizedTensor extremes(DType dtype) {
  const WordFormat format = word_format(info(dtype));
  QuantizedTensor out{0, 1, format, {}, {}};
  const u64 mask = ~u64{0} >> (64 - format.bits);
  for (int bit = 0; bit < format.bits; ++bit) {
    for (const u64 base : {u64{1} << bit, mask << bit, mask >> bit}) {
      for (const u64 step : {u64{0}, u64{1}, ~u64{0}}) {
        push(out, (base + step) & mask);
        ++out.rows;
      }
    }
  }
  return out;
}

u64 steps(const QuantizedTensor& a, const QuantizedTensor& b, u64 i) {
  const u64 x = order_key(a.format, word_at(a, i)), y = order_key(b.format, word_at(b, i));
  return x > y ? x - y : y - x;
}

class EveryWord : public ::testing::TestWithParam<DType> {};

TEST_P(EveryWord, NumbersFollowTheOrderAndComeBack) {
  for (const QuantizedTensor& tensor : {noise(GetParam(), 70, 67), extremes(GetParam())}) {
    const TileGrid grid{tensor.rows, tensor.cols, {64, 64}};
    const std::vector<i32> numbers = centred_words(tensor, grid);
    EXPECT_EQ(words_of(numbers, tensor.format, grid), tensor.words);
    const TileGrid one_row{1, static_cast<i64>(tensor.weights()), {1, 4096}};
    const QuantizedTensor flat{1, one_row.cols, tensor.format, tensor.words, {}};
    const std::vector<i32> in_order = centred_words(flat, one_row);
    for (u64 i = 0; i < flat.weights(); ++i) {
      const i64 half = i64{1} << (flat.format.bits - 1);
      ASSERT_EQ(in_order[i], static_cast<i64>(order_key(flat.format, word_at(flat, i))) - half);
      const double value = word_value(flat.format, word_at(flat, i));
      ASSERT_TRUE(std::isnan(value) || value_of(in_order[i], flat.format) == value ||
                  flat.format.number == NumberClass::unsigned_int);
    }
  }
}

TEST_P(EveryWord, EveryPrefixKeepsBothBoundsAndTheWholeIsExact) {
  const WordFormat format = word_format(info(GetParam()));
  const bool floating = format.number == NumberClass::floating;
  for (const QuantizedTensor& tensor : {weights(GetParam(), 40, 48, 0.02), weights(GetParam(), 9, 5, 30),
                                        noise(GetParam(), 66, 70), extremes(GetParam()), noise(GetParam(), 0, 3)}) {
    const ProgressiveRecord record = encode_progressive(tensor);
    ASSERT_EQ(record.ledger.total(), record.bytes.size());
    const auto planes = static_cast<int>(record.prefix_bytes.size()) - 1;
    ASSERT_LE(planes, format.bits);
    for (int known = 0; known <= planes; ++known) {
      const Bytes prefix = Bytes(record.bytes).first(record.prefix_bytes[static_cast<std::size_t>(known)]);
      const ProgressiveTensor some = decode_progressive(prefix);
      ASSERT_EQ(some.planes, known);
      ASSERT_EQ(some.all_planes, planes);
      ASSERT_EQ(some.tensor.format, tensor.format);
      for (u64 i = 0; i < tensor.weights(); ++i) {
        ASSERT_LE(steps(tensor, some.tensor, i), some.bound);
        const double a = word_value(format, word_at(tensor, i)), b = word_value(format, word_at(some.tensor, i));
        if (std::isnan(a)) continue;
        ASSERT_LE(std::abs(a - b), some.value_bound) << known;
        // The guess at a finite number is one.
        ASSERT_TRUE(std::isfinite(b)) << known;
      }
      if (!floating) {
        ASSERT_EQ(some.value_bound, some.bound);
      }
    }
    const ProgressiveTensor whole = decode_progressive(record.bytes);
    ASSERT_EQ(whole.tensor.words, tensor.words);
    ASSERT_EQ(whole.tensor.scales, tensor.scales);
    ASSERT_EQ(whole.bound, 0u);
    ASSERT_EQ(whole.value_bound, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Types, EveryWord, ::testing::ValuesIn(kTypes),
                         [](const auto& p) { return std::string(wcodec::info(p.param).name); });

// With all of the exponent and j bits of the mantissa known, a number is off by at most 2^-(j+1) of itself.
TEST(ProgressiveFloats, EachPlaneBehindTheExponentHalvesTheRelativeError) {
  for (const DType dtype : {DType::bf16, DType::f16, DType::f32}) {
    const QuantizedTensor tensor = weights(dtype, 64, 64, 0.05);
    const ProgressiveRecord record = encode_progressive(tensor);
    const auto planes = static_cast<int>(record.prefix_bytes.size()) - 1;
    const int mantissa = tensor.format.mantissa_bits;
    for (int j = 0; j <= mantissa; ++j) {
      const ProgressiveTensor some = decode_progressive(record.bytes, planes - mantissa + j);
      const double smallest_normal = std::ldexp(1.0, 2 - (1 << (tensor.format.exponent_bits - 1)));
      for (u64 i = 0; i < tensor.weights(); ++i) {
        const double a = word_value(tensor.format, word_at(tensor, i)),
                     b = word_value(tensor.format, word_at(some.tensor, i));
        ASSERT_LE(std::abs(a - b), std::ldexp(std::max(std::abs(a), smallest_normal), -(j + 1))) << j;
      }
    }
  }
}

// The chain rule: planes cost what fields at once cost, but for merged contexts and tables.
TEST(ProgressiveFloats, CostLittleMoreThanAnExactRecord) {
  const QuantizedTensor tensor = weights(DType::bf16, 256, 256, 0.05);
  const EncodedTensor exact = encode_tensor(tensor, {64, 64}, parse_mode_set({"none"}), parse_coder("rans"));
  EXPECT_LT(static_cast<double>(encode_progressive(tensor).bytes.size()),
            1.02 * static_cast<double>(exact.bytes.size()));
}

ErrorKind kind_of(const QuantizedTensor& tensor, const ProgressiveOptions& options = {}) {
  try {
    encode_progressive(tensor, options);
  } catch (const Error& error) {
    return error.kind();
  }
  return ErrorKind::internal;
}

TEST(ProgressiveFloats, WhatTheyHaveNoUseForIsRefused) {
  for (const DType dtype : {DType::f64, DType::int64, DType::uint64})
    EXPECT_EQ(kind_of(noise(dtype, 2, 2)), ErrorKind::unsupported);
  for (const DType dtype : {DType::bf16, DType::f8_e4m3, DType::int16}) {
    EXPECT_EQ(kind_of(noise(dtype, 2, 2), {BitOrder::sign_magnitude, identity_transform()}), ErrorKind::unsupported);
    EXPECT_EQ(kind_of(noise(dtype, 2, 2), {BitOrder::offset, parse_transform_set("dct8")}), ErrorKind::unsupported);
  }
}

TEST(ProgressiveFloats, FlipsAreRefusedAndTruncationsGiveWholePlanes) {
  const ProgressiveRecord good = encode_progressive(weights(DType::bf16, 12, 16, 0.1));
  for (std::size_t bit = 0; bit < good.bytes.size() * 8; ++bit) {
    std::vector<u8> flipped = good.bytes;
    flipped[bit / 8] ^= static_cast<u8>(1 << bit % 8);
    EXPECT_THROW(decode_progressive(flipped), Error) << bit;
  }
  for (std::size_t size = 0; size < good.bytes.size(); ++size) {
    const Bytes prefix = Bytes(good.bytes).first(size);
    if (size < good.prefix_bytes[0]) {
      EXPECT_THROW(decode_progressive(prefix), Error) << size;
    } else {
      EXPECT_LE(good.prefix_bytes[static_cast<std::size_t>(decode_progressive(prefix).planes)], size);
    }
  }
}

}  // namespace
}  // namespace wcodec
