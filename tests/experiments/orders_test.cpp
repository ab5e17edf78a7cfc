// The axis `order`: permutations as numbers, arrangements found and undone, and their bytes when hostile.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "experiments/orders.hpp"
#include "experiments/permutation_code.hpp"

namespace wcodec {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<u32> random_order(u32 count, u64 stream) {
  std::vector<u32> out(count);
  std::iota(out.begin(), out.end(), 0u);
  Philox random(3, stream);
  for (u32 i = count; i > 1; --i) std::swap(out[i - 1], out[random.below(i)]);
  return out;
}

std::vector<u8> coded(const std::vector<u32>& order) {
  LedgerWriter out;
  write_permutation(order, out);
  EXPECT_EQ(out.ledger()[LedgerEntry::param], out.bytes().size());
  return out.take();
}

TEST(PermutationCode, EveryOrderOfFiveHasItsOwnByte) {
  std::vector<u32> order = {0, 1, 2, 3, 4};
  std::vector<bool> seen(120);
  do {
    const std::vector<u8> bytes = coded(order);
    ASSERT_EQ(bytes.size(), 1u);  // log2(5!) = 6.9 bits
    ASSERT_LT(bytes[0], 120);
    EXPECT_FALSE(seen[bytes[0]]);
    seen[bytes[0]] = true;
    ByteReader in(bytes);
    EXPECT_EQ(read_permutation(in, 5), order);
  } while (std::next_permutation(order.begin(), order.end()));
  const std::vector<u8> beyond = {120};
  ByteReader in(beyond);
  EXPECT_THROW(read_permutation(in, 5), Error);
}

TEST(PermutationCode, CostsItsLogarithmAndLittleMore) {
  for (const u32 count : {0u, 1u, 2u, 3u, 64u, 600u, 601u, 5000u, 40'000u}) {
    const std::vector<u32> order = random_order(count, count);
    const std::vector<u8> bytes = coded(order);
    const double least = std::lgamma(count + 1.0) / std::log(2.0) / 8;
    EXPECT_GE(static_cast<double>(bytes.size()), std::floor(least)) << count;
    EXPECT_LE(static_cast<double>(bytes.size()), least * 1.005 + 1) << count;
    ByteReader in(bytes);
    EXPECT_EQ(read_permutation(in, count), order) << count;
    EXPECT_EQ(in.remaining(), 0u);
  }
}

TEST(PermutationCode, HostileBytesAreAPermutationOrAnError) {
  const std::vector<u8> bytes = coded(random_order(900, 1));
  for (std::size_t i = 0; i < bytes.size(); i += 7) {
    std::vector<u8> damaged = bytes;
    damaged[i] ^= 0xff;
    ByteReader in(damaged);
    try {
      std::vector<u32> order = read_permutation(in, 900);
      std::sort(order.begin(), order.end());
      for (u32 k = 0; k < 900; ++k) ASSERT_EQ(order[k], k);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::corrupt);
    }
  }
  ByteReader cut(Bytes(bytes).first(bytes.size() - 1));
  EXPECT_THROW(read_permutation(cut, 900), Error);
  ByteReader none({});
  EXPECT_THROW(read_permutation(none, u64{1} << 31), Error);  // before 8 GiB are asked for
  EXPECT_THROW(read_permutation(none, u64{1} << 32), Error);
}

// Rows and columns whose scales differ, so that every order has something to find.
QuantizedTensor matrix(i64 rows, i64 cols, DType dtype = DType::int8) {
  QuantizedTensor out{rows, cols, word_format(info(dtype)), {}, {1, 2, 3}};
  Philox random(7, static_cast<u64>(rows * 1000 + cols));
  for (i64 r = 0; r < rows; ++r) {
    const double scale = 4 + 20 * random.uniform();
    for (i64 c = 0; c < cols; ++c) {
      const auto value = static_cast<float>(std::nearbyint(std::clamp(scale * random.normal(), -120.0, 120.0)));
      u64 word = static_cast<u64>(static_cast<i64>(value));
      if (dtype == DType::f32) word = std::bit_cast<u32>(value);
      if (dtype == DType::f64) word = std::bit_cast<u64>(static_cast<double>(value));
      for (int b = 0; b < out.format.memory_bytes; ++b) out.words.push_back(static_cast<u8>(word >> (8 * b)));
    }
  }
  return out;
}

void expect_same(const QuantizedTensor& a, const QuantizedTensor& b) {
  EXPECT_EQ(a.rows, b.rows);
  EXPECT_EQ(a.cols, b.cols);
  EXPECT_EQ(a.words, b.words);
  EXPECT_EQ(a.scales, b.scales);
  EXPECT_EQ(a.format, b.format);
}

// Each order as configs may spell it. A new row of orders() needs a spelling here.
constexpr const char* kSpecs[] = {"identity",
                                  "scale",
                                  "scale:axis=columns",
                                  "scale:axis=both",
                                  "transpose",
                                  "heads",
                                  "heads:axis=both,block=12,stride=6",
                                  "heads:axis=columns,stride=5"};

TEST(Orders, EachIsInTheTests) {
  for (const Order& row : orders()) {
    EXPECT_TRUE(std::any_of(std::begin(kSpecs), std::end(kSpecs), [&](const char* spec) {
      return parse_order(spec).row == &row;
    })) << row.name;
  }
}

TEST(Orders, GoThereAndBackThroughTheirBytes) {
  for (const char* spec : kSpecs) {
    for (const DType dtype : {DType::int8, DType::f16, DType::f32, DType::f64}) {
      for (const auto& [rows, cols] : {std::pair<i64, i64>{37, 50}, {1, 9}, {9, 1}, {64, 33}, {0, 4}, {4, 0}}) {
        const QuantizedTensor tensor = matrix(rows, cols, dtype);
        const Arrangement arrangement = parse_order(spec).find(tensor);
        const QuantizedTensor arranged = arrange(tensor, arrangement);
        EXPECT_EQ(arranged.rows, arrangement.is_transposed ? cols : rows);
        LedgerWriter out;
        write_arrangement(arrangement, out);
        EXPECT_EQ(out.ledger().total(), out.ledger()[LedgerEntry::param]);
        ByteReader in(out.bytes());
        const Arrangement read = read_arrangement(in, static_cast<u64>(arranged.rows), static_cast<u64>(arranged.cols));
        EXPECT_EQ(in.remaining(), 0u);
        SCOPED_TRACE(spec);
        expect_same(restore(arranged, read), tensor);
      }
    }
  }
}

TEST(Orders, ScaleSortsByRootMeanSquare) {
  const QuantizedTensor tensor{3, 2, word_format(info(DType::int8)), {9, 0, 1, 1, 3, 4}, {}};
  EXPECT_THAT(arrange(tensor, parse_order("scale").find(tensor)).words, ElementsAre(1, 1, 3, 4, 9, 0));
  // Columns after each row is divided by its scale: the first has 1.41, 1 and 0.85, the second 0, 1 and 1.13.
  EXPECT_THAT(arrange(tensor, parse_order("scale:axis=columns").find(tensor)).words, ElementsAre(0, 9, 1, 1, 4, 3));
}

TEST(Orders, HeadsGatherByTheirStride) {
  const QuantizedTensor tensor{1, 8, word_format(info(DType::int8)), {0, 1, 2, 3, 4, 5, 6, 7}, {}};
  const auto row = [&](const char* spec) { return arrange(tensor, parse_order(spec).find(tensor)).words; };
  EXPECT_THAT(row("heads:axis=columns,stride=2"), ElementsAre(0, 2, 4, 6, 1, 3, 5, 7));
  EXPECT_THAT(row("heads:axis=columns,stride=3"), ElementsAre(0, 3, 6, 1, 4, 7, 2, 5));
  EXPECT_THAT(row("heads:axis=columns,stride=2,block=4"), ElementsAre(0, 2, 1, 3, 4, 6, 5, 7));
  EXPECT_THAT(row("heads:axis=columns,stride=100"), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
}

TEST(Orders, TransposeTakesAByte) {
  LedgerWriter out;
  write_arrangement(parse_order("transpose").find(matrix(30, 20)), out);
  EXPECT_THAT(out.bytes(), ElementsAre(1));
}

TEST(Orders, SpecsAreCheckedAndCanonical) {
  EXPECT_EQ(canonical_order("scale:axis=rows"), "scale");
  EXPECT_EQ(canonical_order("heads:block=0,stride=64,axis=rows"), "heads:stride=64");
  const auto error = [](const char* spec) -> std::string {
    try {
      parse_order(spec);
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::usage);
      return e.what();
    }
    return "nothing was thrown";
  };
  EXPECT_THAT(error("scael"), HasSubstr("did you mean 'scale'?"));
  EXPECT_THAT(error("scale:axis=row"), HasSubstr("did you mean 'rows'?"));
  EXPECT_THAT(error("transpose:axis=rows"), HasSubstr("unknown option 'axis'"));
  EXPECT_THAT(error("heads:stride=1"), HasSubstr("whole number from 2"));
}

TEST(Orders, HostileArrangementsAreErrors) {
  const auto read = [](std::vector<u8> bytes) {
    ByteReader in(bytes);
    read_arrangement(in, 8, 8);
  };
  EXPECT_THROW(read({}), Error);
  EXPECT_THROW(read({0x20}), Error);              // unknown flag
  EXPECT_THROW(read({0x06}), Error);              // unknown kind of rows
  EXPECT_THROW(read({0x18}), Error);              // unknown kind of columns
  EXPECT_THROW(read({0x02, 1, 0}), Error);        // stride 1 is no order
  EXPECT_THROW(read({0x02, 0, 0}), Error);        // and 0 would never end
  EXPECT_THROW(read({0x02, 2}), Error);           // block missing
  EXPECT_THROW(read({0x04, 0xff, 0xff}), Error);  // 8! = 40320 states
  EXPECT_NO_THROW(read({0x02, 2, 0}));
}

}  // namespace
}  // namespace wcodec
