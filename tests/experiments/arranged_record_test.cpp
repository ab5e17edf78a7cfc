// The axes `order` and `approx` as cells use them: what is taken off, what it costs, decoding from the bytes alone, and
// every byte of it hostile.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/philox.hpp"
#include "experiments/arranged_record.hpp"

namespace wcodec {
namespace {

using ::testing::HasSubstr;

constexpr const char* kApproximations[] = {"none",    "mean",           "mean:axis=row", "mean:axis=column",
                                           "lowrank", "lowrank:rank=1", "lowrank:rank=8"};

// Row and column offsets of ±12, a part of rank one of ±25, and noise of 3.
QuantizedTensor structured(i64 rows, i64 cols, DType dtype = DType::int8) {
  QuantizedTensor out{rows, cols, word_format(info(dtype)), {}, {9, 9}};
  Philox random(11, 0);
  std::vector<double> row, column, left, right;
  for (i64 r = 0; r < rows; ++r) row.push_back(24 * random.uniform() - 12), left.push_back(2 * random.uniform() - 1);
  for (i64 c = 0; c < cols; ++c) column.push_back(24 * random.uniform() - 12), right.push_back(random.normal());
  const double least = dtype == DType::int4 ? -8 : dtype == DType::uint8 ? 0 : -128;
  const double shift = dtype == DType::uint8 ? 128 : 0, step = dtype == DType::int4 ? 8 : 1;
  for (std::size_t r = 0; r < row.size(); ++r) {
    for (std::size_t c = 0; c < column.size(); ++c) {
      const double value = row[r] + column[c] + 25 * left[r] * right[c] + 3 * random.normal();
      const double range = dtype == DType::int4 ? 15 : 255;
      out.words.push_back(
          static_cast<u8>(static_cast<int>(std::clamp(std::nearbyint(value / step + shift), least, least + range))));
    }
  }
  return out;
}

EncodedTensor encoded(const QuantizedTensor& tensor, const char* order, const char* approx) {
  const FrontedTensor fronted = apply_front(tensor, parse_front(order, approx));
  const std::vector<PredictorChoice> modes = parse_mode_set({"none", "left"});
  return join_front(fronted, encode_tensor(fronted.tensor, {16, 16}, modes, parse_coder("rans")));
}

void expect_same(const QuantizedTensor& a, const QuantizedTensor& b) {
  EXPECT_EQ(a.rows, b.rows);
  EXPECT_EQ(a.cols, b.cols);
  EXPECT_EQ(a.words, b.words);
  EXPECT_EQ(a.scales, b.scales);
  EXPECT_EQ(a.format, b.format);
}

TEST(ArrangedRecord, EveryApproximationIsInTheTests) {
  for (const Approximation* row : approximations()) {
    EXPECT_TRUE(std::any_of(std::begin(kApproximations), std::end(kApproximations), [&](const char* spec) {
      return parse_approx(spec).row == row;
    })) << row->name;
  }
}

TEST(ArrangedRecord, GoesThereAndBack) {
  for (const char* approx : kApproximations) {
    for (const char* order : {"identity", "transpose", "scale:axis=both", "heads:stride=3"}) {
      for (const DType dtype : {DType::int8, DType::uint8, DType::int4, DType::f8_e4m3}) {
        for (const auto& [rows, cols] : {std::pair<i64, i64>{40, 70}, {1, 9}, {9, 1}, {1, 1}, {0, 4}, {4, 0}}) {
          SCOPED_TRACE(std::string(order) + " " + approx + " " + std::string(info(dtype).name));
          const QuantizedTensor tensor = structured(rows, cols, dtype);
          const EncodedTensor record = encoded(tensor, order, approx);
          EXPECT_EQ(record.ledger.total(), record.bytes.size());
          expect_same(decode_fronted(record.bytes, kSmallWeightLimit), tensor);
        }
      }
    }
  }
}

TEST(ArrangedRecord, AConstantHasNothingLeft) {
  QuantizedTensor tensor{30, 40, word_format(info(DType::int8)), std::vector<u8>(1200, 250), {}};
  for (const char* approx : {"mean", "lowrank:rank=3"}) {
    LedgerWriter out;
    const QuantizedTensor rest = subtract_approximation(tensor, parse_approx(approx), out);
    EXPECT_EQ(rest.words, std::vector<u8>(1200)) << approx;
    ByteReader in(out.bytes());
    expect_same(add_approximation(rest, in), tensor);
  }
}

double mean_square(const QuantizedTensor& tensor) {
  double sum = 0;
  for (const u8 word : tensor.words) sum += std::pow(static_cast<i8>(word), 2);
  return sum / static_cast<double>(tensor.weights());
}

TEST(Approximations, TakeOffWhatIsThere) {
  const QuantizedTensor tensor = structured(200, 300);
  const auto left_by = [&](const char* approx) {
    LedgerWriter out;
    return mean_square(subtract_approximation(tensor, parse_approx(approx), out));
  };
  EXPECT_LT(left_by("mean:axis=row"), 0.9 * left_by("none"));
  EXPECT_LT(left_by("mean:axis=column"), 0.9 * left_by("none"));
  EXPECT_LT(left_by("mean"), 0.9 * left_by("mean:axis=row"));
  EXPECT_LT(left_by("lowrank:rank=1"), 0.6 * left_by("none"));
  EXPECT_LT(left_by("lowrank:rank=2"), 0.6 * left_by("lowrank:rank=1"));
  // Offsets of rows and columns have rank two, the rest rank one: noise of variance 9 and rounding remain.
  EXPECT_NEAR(left_by("lowrank:rank=3"), 9, 0.6);
  EXPECT_NEAR(left_by("lowrank:rank=8"), 9, 0.9);
}

TEST(Approximations, MeansAreRoundedAndWritten) {
  // Means of rows 1.5 → 2 and −1.5 → −1; what is left then has column means (−1 − 1)/2 = −1 and 0.
  const QuantizedTensor tensor{2, 2, word_format(info(DType::int8)), {1, 2, 0xfe, 0xff}, {}};
  LedgerWriter out;
  const QuantizedTensor rest = subtract_approximation(tensor, parse_approx("mean"), out);
  EXPECT_THAT(rest.words, ::testing::ElementsAre(0, 0, 0, 0));
  // Id, axes, two packed side streams of two bytes each.
  EXPECT_THAT(out.bytes(), ::testing::ElementsAre(1, 3, 1, 130, 127, 1, 127, 128));
}

TEST(Approximations, RankIsPaidFor) {
  const QuantizedTensor tensor = structured(100, 150);
  LedgerWriter out;
  subtract_approximation(tensor, parse_approx("lowrank:rank=3"), out);
  // A byte a row and a byte a column, or a little less where they are not uniform; a scale; tags.
  EXPECT_GE(out.ledger()[LedgerEntry::param], 3 * (250 * 3 / 4 + 4));
  EXPECT_LE(out.ledger()[LedgerEntry::param], 3 * (250 + 4 + 2) + 2u);
}

TEST(Approximations, RefuseWordsOfSeveralPlanes) {
  const QuantizedTensor tensor{2, 2, word_format(info(DType::bf16)), std::vector<u8>(8), {}};
  LedgerWriter out;
  try {
    subtract_approximation(tensor, parse_approx("mean"), out);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
    EXPECT_THAT(error.what(), HasSubstr("at most 8 bits, these have 16"));
  }
  EXPECT_EQ(canonical_approx("lowrank:rank=4"), "lowrank");
  EXPECT_THROW(parse_approx("lowrank:rank=9"), Error);
  EXPECT_THROW(parse_approx("mean:axis=rows"), Error);
  EXPECT_THROW(parse_approx("means"), Error);
}

TEST(ArrangedRecord, HostileBytesAreErrors) {
  const QuantizedTensor tensor = structured(20, 24);
  const EncodedTensor record = encoded(tensor, "scale", "lowrank:rank=2");
  for (std::size_t size = 0; size < record.bytes.size(); ++size)
    EXPECT_THROW(decode_fronted(Bytes(record.bytes).first(size), tensor.weights()), Error) << size;
  for (std::size_t i = 0; i < record.bytes.size(); ++i) {
    std::vector<u8> damaged = record.bytes;
    damaged[i] ^= 0x55;
    EXPECT_THROW(decode_fronted(damaged, tensor.weights()), Error) << i;
  }
  EXPECT_THROW(decode_fronted(record.bytes, tensor.weights() - 1), Error);
}

// Behind a right checksum every byte still has to be bounded: errors or another matrix, never a fault.
TEST(ArrangedRecord, HostileNumbersWithARightChecksum) {
  const QuantizedTensor tensor = structured(20, 24);
  for (const char* approx : {"mean", "lowrank:rank=2"}) {
    const FrontedTensor fronted = apply_front(tensor, parse_front("scale", approx));
    const EncodedTensor record = encoded(tensor, "scale", approx);
    const std::size_t begin = record.bytes.size() - 4 - fronted.side.bytes().size();
    int errors = 0;
    for (std::size_t i = begin; i + 4 < record.bytes.size(); ++i) {
      for (const int change : {0x01, 0x80, 0xff}) {
        std::vector<u8> damaged = record.bytes;
        damaged[i] = static_cast<u8>(damaged[i] ^ change);
        const u32 sum = crc32(Bytes(damaged).subspan(begin, fronted.side.bytes().size()));
        std::memcpy(damaged.data() + damaged.size() - 4, &sum, 4);
        try {
          EXPECT_NE(decode_fronted(damaged, tensor.weights()).words.size(), 0u);
        } catch (const Error&) {
          ++errors;
        }
      }
    }
    EXPECT_GT(errors, 0) << approx;
  }
}

}  // namespace
}  // namespace wcodec
