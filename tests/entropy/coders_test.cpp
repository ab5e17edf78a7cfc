// Tables, rANS kernels, contexts and every coder of the registry.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "entropy/frequency_table.hpp"
#include "entropy/log2_cost.hpp"
#include "entropy/registry.hpp"
#include "entropy/scale_contexts.hpp"
#include "entropy/side_stream.hpp"

namespace wcodec {
namespace {

// Residual-like symbols: Gaussian around 0 modulo 2^bits, with a spread that depends on the row.
std::vector<u8> residuals(i64 rows, i64 cols, int bits, double sigma, double row_spread, u64 seed) {
  Philox random(seed, 0);
  std::vector<u8> out;
  for (i64 r = 0; r < rows; ++r) {
    const double scale = sigma * std::exp2(row_spread * random.normal());
    for (i64 c = 0; c < cols; ++c) {
      out.push_back(static_cast<u8>(static_cast<int>(std::lround(random.normal() * scale)) & ((1 << bits) - 1)));
    }
  }
  return out;
}

std::vector<u32> count(std::span<const u8> symbols, int bits) {
  std::vector<u32> counts(std::size_t{1} << bits);
  for (const u8 symbol : symbols) ++counts[symbol];
  return counts;
}

TEST(FastLog2, IsCloseToLog2) {
  for (u32 n = 1; n < 3'000'000'000u; n += 1 + n / 37) EXPECT_NEAR(fast_log2(n), std::log2(n), 1.1e-8) << n;
}

TEST(Normalize, SumsToThePowerAndKeepsEverySymbol) {
  Philox random(1, 1);
  for (int trial = 0; trial < 2000; ++trial) {
    const int precision = static_cast<int>(8 + random.below(8));
    std::array<u32, 256> weights{};
    const u32 present = 1 + random.below(256);
    for (u32 i = 0; i < present; ++i) weights[random.below(256)] = 1 + (random.next32() >> random.below(32));
    const FrequencyTable table = normalize(weights, precision);
    u32 sum = 0;
    for (std::size_t s = 0; s < 256; ++s) {
      EXPECT_EQ(table.start[s], sum & 0xffff);
      EXPECT_EQ(table.frequency[s] > 0, weights[s] > 0);
      sum += table.frequency[s];
    }
    ASSERT_EQ(sum, 1u << precision);
  }
}

TEST(FrequencyTable, ReadsBackWhatWasWritten) {
  Philox random(2, 1);
  for (int trial = 0; trial < 2000; ++trial) {
    const int bits = static_cast<int>(1 + random.below(8)), precision = static_cast<int>(8 + random.below(8));
    std::vector<u32> counts(std::size_t{1} << bits);
    const u32 present = 1 + random.below(300);
    for (u32 i = 0; i < present; ++i) counts[random.below(1u << bits)] += random.next32() >> (10 + random.below(22));
    if (std::accumulate(counts.begin(), counts.end(), u64{0}) == 0) counts[0] = 1;
    BitWriter out;
    const FrequencyTable written = write_table(counts, precision, out);
    const std::vector<u8> bytes = out.finish();
    ByteReader in(bytes);
    BitReader reader(in);
    const FrequencyTable read = read_table(bits, precision, reader);
    reader.finish();
    EXPECT_EQ(in.remaining(), 0u);
    ASSERT_EQ(read.frequency, written.frequency);
    for (std::size_t s = 0; s < counts.size(); ++s) {
      if (counts[s] > 0) {
        EXPECT_GT(written.frequency[s], 0);
      }
    }
  }
}

TEST(FrequencyTable, IsSmallWhereFewSymbolsOccur) {
  std::vector<u32> counts(256);
  counts[0] = 1000;
  counts[1] = 40;
  counts[255] = 44;
  BitWriter out;
  write_table(counts, 14, out);
  EXPECT_LE(out.finish().size(), 10u);
}

struct Plane {
  PlaneGeometry geometry;
  std::vector<u8> residual, symbols;
  CoderInput input() const {
    return {geometry, residual, symbols.data(), static_cast<u8>(1 << (geometry.bits - 1)), false};
  }
};

// Residuals of `none`: symbols counted from the word of zero.
Plane make_plane(i64 rows, i64 cols, int bits, double sigma, double spread, u64 seed, TileShape shape = {16, 16}) {
  Plane plane{{{rows, cols, shape}, bits}, residuals(rows, cols, bits, sigma, spread, seed), {}};
  plane.symbols.resize(plane.residual.size());
  std::size_t i = 0;
  const TileGrid& grid = plane.geometry.grid;
  for (i64 t = 0; t < grid.tiles(); ++t) {
    const auto tile = grid.tile(plane.symbols.data(), t);
    for (int r = 0; r < tile.rows; ++r) {
      for (int c = 0; c < tile.cols; ++c)
        tile(r, c) = static_cast<u8>((plane.residual[i++] + (1 << (bits - 1))) & ((1 << bits) - 1));
    }
  }
  return plane;
}

const char* const kSpecs[] = {"raw",
                              "rans",
                              "rans:tables=tile",
                              "rans:tables=row-scale,contexts=32",
                              "rans:tables=col-scale",
                              "rans:tables=row-col-scale,contexts=64",
                              "rans:precision=8",
                              "rans:tables=row-scale,precision=15",
                              "rans:precision=12,chunk=1024",
                              "rans:tables=exponent",
                              "rans:tables=position",
                              "rans:tables=band",
                              "rans:tables=neighbours,contexts=64",
                              "rans:tables=neighbours,precision=10,chunk=1024",
                              "rans:tables=best,contexts=16",
                              "prefix",
                              "prefix:low=0",
                              "prefix:low=4,chunk=4096",
                              "prefix:low=7",
                              "zstd",
                              "zstd:level=9",
                              "adaptive",
                              "adaptive:context=previous,rate=4",
                              "bitplanes"};

class EveryCoder : public ::testing::TestWithParam<const char*> {};

TEST_P(EveryCoder, RoundTripsAndCostsWhatItWrites) {
  const CoderChoice coder = parse_coder(GetParam());
  for (const auto& [rows, cols] : {std::pair{1, 1}, {1, 300}, {300, 1}, {16, 16}, {33, 47}, {257, 129}}) {
    for (const int bits : {1, 4, 8}) {
      for (const double sigma : {0.0, 0.7, 30.0, 1000.0}) {
        const Plane plane = make_plane(rows, cols, bits, sigma, 0.5, static_cast<u64>(rows * 1000 + cols));
        LedgerWriter out, dry(true);
        coder.row->encode(*coder.row, plane.input(), coder.options, out);
        coder.row->encode(*coder.row, plane.input(), coder.options, dry);
        ASSERT_EQ(out.ledger(), dry.ledger()) << GetParam();
        ASSERT_EQ(out.ledger().total(), out.bytes().size());
        std::vector<u8> back(plane.residual.size(), 0xEE);
        ByteReader in(out.bytes());
        coder.row->decode(*coder.row, in, plane.geometry, back);
        ASSERT_EQ(in.remaining(), 0u);
        ASSERT_EQ(back, plane.residual) << GetParam() << " " << rows << "x" << cols << " bits " << bits << " sigma "
                                        << sigma;
        EXPECT_LE(out.bytes().size(), (plane.residual.size() * static_cast<std::size_t>(bits) + 7) / 8 +
                                          1);  // never worse than raw and a byte
      }
    }
  }
}

TEST_P(EveryCoder, SurvivesEveryTruncationAndManyFlips) {
  const CoderChoice coder = parse_coder(GetParam());
  const Plane plane = make_plane(40, 60, 4, 1.5, 0.8, 3);
  LedgerWriter out;
  coder.row->encode(*coder.row, plane.input(), coder.options, out);
  std::vector<u8> back(plane.residual.size());
  for (std::size_t size = 0; size < out.bytes().size(); ++size) {
    const std::vector<u8> cut(out.bytes().begin(), out.bytes().begin() + static_cast<std::ptrdiff_t>(size));
    ByteReader in(cut);
    EXPECT_THROW(coder.row->decode(*coder.row, in, plane.geometry, back), Error) << size;
  }
  for (std::size_t bit = 0; bit < out.bytes().size() * 8; bit += 3) {
    std::vector<u8> flipped = out.bytes();
    flipped[bit / 8] ^= static_cast<u8>(1 << bit % 8);
    ByteReader in(flipped);
    try {
      coder.row->decode(*coder.row, in, plane.geometry,
                        back);  // may succeed with other symbols: the record's CRC is what notices
    } catch (const Error& error) {
      EXPECT_TRUE(error.kind() == ErrorKind::corrupt || error.kind() == ErrorKind::truncated);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Specs, EveryCoder, ::testing::ValuesIn(kSpecs), [](const auto& param) {
  std::string name(param.param);
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
});

TEST(RansCoder, PayloadIsWithinThreePerMilleOfItsModel) {
  for (const double sigma : {0.4, 3.0, 36.0}) {
    const Plane plane = make_plane(1024, 1024, 8, sigma, 0.0, 9);
    LedgerWriter out;
    const CoderChoice coder = parse_coder("rans");
    coder.row->encode(*coder.row, plane.input(), coder.options, out);
    const auto counts = count(plane.residual, 8);
    const double entropy = fast_entropy_bits(counts) / 8;
    BitWriter bits;
    const double model = implied_bits(counts, write_table(counts, 14, bits)) / 8;
    const auto coded = static_cast<double>(out.ledger()[LedgerEntry::payload] + out.ledger()[LedgerEntry::state]);
    ASSERT_GT(coded, 65536);
    EXPECT_NEAR(coded / model, 1.0, 0.003) << sigma;
    EXPECT_LT(static_cast<double>(out.bytes().size()) / entropy, 1.006) << sigma;
  }
}

TEST(ScaleContexts, PayWhereRowsDifferAndVanishWhereTheyDoNot) {
  const CoderChoice plain = parse_coder("rans"), keyed = parse_coder("rans:tables=row-scale,contexts=32");
  const auto size = [](const CoderChoice& coder, const Plane& plane) {
    LedgerWriter out(true);
    coder.row->encode(*coder.row, plane.input(), coder.options, out);
    return out.ledger();
  };
  // Tiles of one whole row, so that coding order is row-major and the spread is that of rows.
  const Plane varied = make_plane(512, 512, 8, 12, 1.0, 4, {1, 512}),
              even = make_plane(512, 512, 8, 12, 0.0, 4, {1, 512});
  EXPECT_LT(static_cast<double>(size(keyed, varied).total()), 0.97 * static_cast<double>(size(plain, varied).total()));
  EXPECT_GT(size(keyed, varied)[LedgerEntry::context], 0u);
  EXPECT_LE(size(keyed, even).total(), size(plain, even).total() + 1);  // one byte says: no contexts
}

TEST(SideStream, RoundTripsEveryKind) {
  Philox random(8, 8);
  for (const int bits : {1, 3, 6, 8}) {
    for (const std::size_t length : {0, 1, 5, 100, 5000}) {
      for (const u32 spread : {1u, 2u, 1u << bits}) {
        std::vector<u8> values(length);
        for (u8& value : values) value = static_cast<u8>(random.below(spread));
        LedgerWriter out;
        write_side_stream(values, bits, LedgerEntry::mode, out);
        ByteReader in(out.bytes());
        EXPECT_EQ(read_side_stream(in, length, bits, 1 << bits, "test"), values);
        EXPECT_EQ(in.remaining(), 0u);
      }
    }
  }
}

TEST(Coders, CanonicalNamesSayWhatSharesATable) {
  EXPECT_EQ(parse_coder("rans").spec, "rans:tables=tensor");
  EXPECT_EQ(parse_coder("rans:tables=tile,contexts=8").spec, "rans:tables=tile");
  EXPECT_EQ(parse_coder("rans:tables=row-scale").spec, "rans:contexts=32,tables=row-scale");
  EXPECT_EQ(parse_coder("raw").spec, "raw");
  EXPECT_THROW(parse_coder("rnas"), Error);
  EXPECT_THROW(parse_coder("rans:tables=galaxy"), Error);
  EXPECT_THROW(parse_coder("rans:precision=16"), Error);
}

}  // namespace
}  // namespace wcodec
