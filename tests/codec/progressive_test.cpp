// Progressive records: every prefix of planes keeps its bound on random and extreme data, all planes are exact, and
// hostile bytes are refused.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>

#include "codec/progressive.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/philox.hpp"
#include "quantizers/planes.hpp"

namespace wcodec {
namespace {

constexpr DType kTypes[] = {DType::int8,  DType::uint8, DType::int4,   DType::uint4,
                            DType::uint5, DType::int6,  DType::boolean};

QuantizedTensor make_tensor(DType dtype, i64 rows, i64 cols, const std::function<i64(i64 r, i64 c)>& word) {
  QuantizedTensor out{rows, cols, word_format(info(dtype)), {}, {}};
  for (i64 r = 0; r < rows; ++r) {
    for (i64 c = 0; c < cols; ++c) out.words.push_back(static_cast<u8>(word(r, c)));
  }
  out.scales.assign(static_cast<std::size_t>(rows), 0x5a);
  return out;
}

struct Range {
  i64 low, high;
};
Range range_of(DType dtype) {
  const DTypeInfo& d = info(dtype);
  const i64 all = i64{1} << d.bits;
  return d.number == NumberClass::signed_int ? Range{-all / 2, all / 2 - 1} : Range{0, all - 1};
}

// Noise, constants at the ends of the range, checks of both ends, a smooth surface, Gaussian weights.
std::vector<QuantizedTensor> tensors(DType dtype, i64 rows, i64 cols) {
  const Range range = range_of(dtype);
  auto random = std::make_shared<Philox>(17, static_cast<u64>(dtype));
  const double middle = static_cast<double>(range.low + range.high) / 2,
               reach = static_cast<double>(range.high) - middle;
  const auto clamped = [=](double x) { return std::clamp<i64>(std::llround(x), range.low, range.high); };
  std::vector<QuantizedTensor> all;
  const auto add = [&](const std::function<i64(i64, i64)>& word) {
    all.push_back(make_tensor(dtype, rows, cols, word));
  };
  add([=](i64, i64) {
    return range.low + static_cast<i64>(random->below(static_cast<u32>(range.high - range.low + 1)));
  });
  add([=](i64, i64) { return range.low; });
  add([=](i64, i64) { return range.high; });
  add([=](i64 r, i64 c) { return (r + c) % 2 ? range.low : range.high; });
  add([=](i64 r, i64 c) { return (r / 3 + c / 5) % 2 ? range.low : range.high; });
  add([=](i64 r, i64 c) {
    return clamped(middle + reach * std::sin(0.11 * static_cast<double>(r)) * std::cos(0.07 * static_cast<double>(c)));
  });
  add([=](i64, i64) { return clamped(middle + 0.2 * reach * random->normal()); });
  return all;
}

i64 word_of(const QuantizedTensor& tensor, std::size_t i) {
  return static_cast<i64>(word_value(tensor.format, load_word(tensor.format, tensor.words.data(), i)));
}

u32 worst_error(const QuantizedTensor& a, const QuantizedTensor& b) {
  i64 worst = 0;
  for (std::size_t i = 0; i < a.weights(); ++i) worst = std::max(worst, std::abs(word_of(a, i) - word_of(b, i)));
  return static_cast<u32>(worst);
}

class EveryOption : public ::testing::TestWithParam<std::tuple<DType, BitOrder, std::string>> {
 protected:
  ProgressiveOptions options() const { return {std::get<1>(GetParam()), parse_transform_set(std::get<2>(GetParam()))}; }
};

TEST_P(EveryOption, EveryPrefixKeepsItsBoundAndTheWholeIsExact) {
  for (const auto& [rows, cols] : {std::pair<i64, i64>{0, 0}, {0, 7}, {1, 1}, {8, 8}, {24, 40}, {71, 90}}) {
    for (const QuantizedTensor& tensor : tensors(std::get<0>(GetParam()), rows, cols)) {
      const ProgressiveRecord record = encode_progressive(tensor, options());
      ASSERT_EQ(record.ledger.total(), record.bytes.size());
      ASSERT_EQ(record.prefix_bytes.size(), record.largest_error.size());
      ASSERT_EQ(record.prefix_bytes.back(), record.bytes.size());
      const int planes = static_cast<int>(record.prefix_bytes.size()) - 1;
      u32 bound_before = 256;
      for (int known = 0; known <= planes; ++known) {
        const Bytes prefix = Bytes(record.bytes).first(record.prefix_bytes[static_cast<std::size_t>(known)]);
        const ProgressiveTensor some = decode_progressive(prefix);
        ASSERT_EQ(some.planes, known);
        ASSERT_EQ(some.all_planes, planes);
        ASSERT_EQ(some.tensor.scales, tensor.scales);
        ASSERT_LE(worst_error(some.tensor, tensor), some.bound);
        // The whole record, asked for as many planes, says the same.
        ASSERT_EQ(decode_progressive(record.bytes, known).tensor.words, some.tensor.words);
        bound_before = some.bound;
      }
      ASSERT_EQ(bound_before, 0u);
      ASSERT_EQ(decode_progressive(record.bytes).tensor.words, tensor.words);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Options, EveryOption,
                         ::testing::Combine(::testing::ValuesIn(kTypes),
                                            ::testing::Values(BitOrder::offset, BitOrder::sign_magnitude),
                                            ::testing::Values("identity", "dct8", "adst8", "probe")),
                         [](const auto& p) {
                           return std::string(wcodec::info(std::get<0>(p.param)).name) +
                                  (std::get<1>(p.param) == BitOrder::offset ? "_offset_" : "_signs_") +
                                  std::get<2>(p.param);
                         });

void write_crc(std::vector<u8>& bytes, std::size_t begin, std::size_t end) {
  const u32 crc = crc32(Bytes(bytes).subspan(begin, end - begin));
  std::memcpy(bytes.data() + end, &crc, sizeof crc);
}

// What the record says of its errors is not trusted beyond what follows from the planes: a record that claims 255
// throughout still has the proven bound, and that one holds.
TEST(Progressive, TheBoundIsProvenWithoutTheRecordsWord) {
  for (const std::string transform : {"identity", "dct8", "adst8"}) {
    for (const QuantizedTensor& tensor : tensors(DType::int8, 40, 48)) {
      const ProgressiveRecord record =
          encode_progressive(tensor, {BitOrder::sign_magnitude, parse_transform_set(transform)});
      std::vector<u8> edited = record.bytes;
      const std::size_t planes = record.largest_error.size() - 1;
      // Behind magic, version, format, shape, one transform, order and count: size (two bytes or one) and error of
      // each.
      std::size_t at = 4 + 1 + 5 + 2 + 2 + 2;
      for (std::size_t p = 0; p < planes; ++p) {
        const u64 size = record.prefix_bytes[p + 1] - record.prefix_bytes[p] - 4;
        at += size >= 128 ? 2 : 1;
        if (record.largest_error[p] < 128) {
          ASSERT_EQ(edited[at], record.largest_error[p]);
          edited[at] = 127;
          ++at;
        } else {
          at += 2;
        }
      }
      write_crc(edited, 0, record.prefix_bytes[0] - 4);
      for (std::size_t p = 0; p <= planes; ++p) {
        const ProgressiveTensor some = decode_progressive(edited, static_cast<int>(p));
        ASSERT_LE(worst_error(some.tensor, tensor), some.bound) << transform << " " << p;
        ASSERT_TRUE(transform != "identity" || p == 0 || some.bound < 1u << (planes - p));
      }
    }
  }
}

TEST(Progressive, FirstPlanesAreWorthTheirBytes) {
  const QuantizedTensor tensor = tensors(DType::int8, 128, 128).back();  // Gaussian, σ = 25
  const ProgressiveRecord record = encode_progressive(tensor);
  const ProgressiveTensor half = decode_progressive(record.bytes, 4);
  EXPECT_LE(half.bound, 8u);
  EXPECT_LT(record.prefix_bytes[4], record.bytes.size() / 2);
  // Order from the top costs little against the symbols at once.
  const EncodedTensor symbols = encode_tensor(tensor, {64, 64}, parse_mode_set({"none"}), parse_coder("rans"));
  EXPECT_LT(static_cast<double>(record.bytes.size()), 1.06 * static_cast<double>(symbols.bytes.size()));
}

class HostileProgressive : public ::testing::TestWithParam<const char*> {
 protected:
  const ProgressiveRecord good_ =
      encode_progressive(tensors(DType::int8, 20, 24)[5], {BitOrder::sign_magnitude, parse_transform_set(GetParam())});
};

TEST_P(HostileProgressive, EveryTruncationGivesTheWholePlanesOrAnError) {
  for (std::size_t size = 0; size < good_.bytes.size(); ++size) {
    const Bytes prefix = Bytes(good_.bytes).first(size);
    if (size < good_.prefix_bytes[0]) {
      EXPECT_THROW(decode_progressive(prefix), Error) << size;
      continue;
    }
    const int planes = decode_progressive(prefix).planes;
    EXPECT_LE(good_.prefix_bytes[static_cast<std::size_t>(planes)], size);
    EXPECT_GT(good_.prefix_bytes[static_cast<std::size_t>(planes) + 1], size);
    EXPECT_THROW(decode_progressive(prefix, planes + 1), Error);
  }
}

TEST_P(HostileProgressive, EveryFlipIsRefused) {
  for (std::size_t bit = 0; bit < good_.bytes.size() * 8; ++bit) {
    std::vector<u8> flipped = good_.bytes;
    flipped[bit / 8] ^= static_cast<u8>(1 << bit % 8);
    EXPECT_THROW(decode_progressive(flipped), Error) << bit;
  }
}

TEST_P(HostileProgressive, FlipsBehindRepairedChecksumsNeverCrash) {
  for (std::size_t bit = 0; bit < good_.bytes.size() * 8; ++bit) {
    std::vector<u8> flipped = good_.bytes;
    flipped[bit / 8] ^= static_cast<u8>(1 << bit % 8);
    write_crc(flipped, 0, good_.prefix_bytes[0] - 4);
    for (std::size_t p = 1; p < good_.prefix_bytes.size(); ++p)
      write_crc(flipped, good_.prefix_bytes[p - 1], good_.prefix_bytes[p] - 4);
    try {
      decode_progressive(flipped, kAllPlanes, 1 << 16);
    } catch (const Error&) {
    }
  }
}

TEST_P(HostileProgressive, LimitsAndWrongRequests) {
  EXPECT_THROW(decode_progressive(good_.bytes, kAllPlanes, 100), Error);
  EXPECT_THROW(decode_progressive(good_.bytes, 99), Error);
  EXPECT_THROW(decode_progressive(good_.bytes, -2), Error);
  std::vector<u8> longer = good_.bytes;
  longer.push_back(0);
  EXPECT_THROW(decode_progressive(longer), Error);
}

INSTANTIATE_TEST_SUITE_P(Transforms, HostileProgressive, ::testing::Values("identity", "dct8", "probe"));

}  // namespace
}  // namespace wcodec
