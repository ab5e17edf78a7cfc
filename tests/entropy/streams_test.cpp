// Streams of lanes: states, seeds, chunks, and every SIMD kernel against the scalar step.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <numeric>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "entropy/chunked_stream.hpp"
#include "entropy/low_bits.hpp"

namespace wcodec {
namespace {

std::vector<u8> gaussian(std::size_t count, int bits, double sigma, u64 seed) {
  Philox random(seed, 0);
  std::vector<u8> out(count);
  const int middle = 1 << (bits - 1), top = (1 << bits) - 1;
  for (u8& s : out)
    s = static_cast<u8>(std::clamp(middle + static_cast<int>(std::lround(random.normal() * sigma)), 0, top));
  return out;
}

struct ForcedKernels {
  explicit ForcedKernels(sv name) { force_lane_kernels(name); }
  ~ForcedKernels() { force_lane_kernels({}); }
};

// What both sides of a code need for some symbols.
struct Codes {
  std::vector<u8> symbols, contexts;
  std::vector<FrequencyTable> tables;
  PairCode pair_code;
  int bits;

  Codes(std::size_t count, int bits_, double sigma, int context_count, int precision)
      : symbols(gaussian(count, bits_, sigma, count)), bits(bits_) {
    Philox random(count, 7);
    if (context_count > 1) {
      contexts.resize(count);
      for (u8& k : contexts) k = static_cast<u8>(random.below(static_cast<u32>(context_count)));
    }
    for (int k = 0; k < context_count; ++k) {
      std::vector<u32> counts(std::size_t{1} << bits);
      for (std::size_t i = 0; i < count; ++i) counts[symbols[i]] += contexts.empty() || contexts[i] == k;
      if (std::accumulate(counts.begin(), counts.end(), u64{0}) == 0) counts[0] = 1;
      BitWriter unused;
      tables.push_back(write_table(counts, precision, unused));
    }
    std::vector<u64> counts(std::size_t{1} << bits);
    for (const u8 s : symbols) ++counts[s];
    pair_code = choose_pair_code(counts, bits);
  }
};

struct Coded {
  std::vector<u8> bytes;
  Ledger ledger;
};

Coded encode_with(const Codes& codes, bool pairs, const StreamLayout& layout) {
  LedgerWriter out;
  if (pairs) {
    const PairEncodeTable table(codes.pair_code);
    encode_chunks(codes.symbols, nullptr, layout, StreamEncoder(table, codes.pair_code.first), out);
  } else {
    const RansEncodeTables tables(codes.tables);
    encode_chunks(codes.symbols, codes.contexts.empty() ? nullptr : codes.contexts.data(), layout,
                  StreamEncoder(tables), out);
  }
  return {out.bytes(), out.ledger()};
}

std::vector<u8> decode_with(const Codes& codes, bool pairs, const StreamLayout& layout, Bytes bytes) {
  // In an allocation of exactly this size, so that an over-read is seen by sanitizers.
  const std::vector<u8> exact(bytes.begin(), bytes.end());
  ByteReader in(exact);
  const ChunkIndex index = read_chunk_index(in, layout);
  if (in.remaining() != 0) throw Error(ErrorKind::corrupt, "left over");
  std::vector<u8> out(codes.symbols.size());
  if (pairs) {
    const PairDecodeTable table(codes.pair_code);
    decode_chunks(index, layout, 0, layout.chunks(), nullptr, StreamDecoder(table), out.data());
  } else {
    const RansDecodeTables tables(codes.tables);
    decode_chunks(index, layout, 0, layout.chunks(), codes.contexts.empty() ? nullptr : codes.contexts.data(),
                  StreamDecoder(tables), out.data());
  }
  return out;
}

TEST(Lanes, StatesAndSeedsComeBack) {
  Philox random(3, 3);
  for (const int lanes : {1, 8, 32}) {
    for (int trial = 0; trial < 200; ++trial) {
      LaneStates states{}, back{};
      for (int lane = 0; lane < lanes; ++lane)
        states[static_cast<std::size_t>(lane)] = (random.next32() | 1u << 31) >> random.below(16);
      std::vector<u8> bytes;
      write_states(states, lanes, bytes);
      // Bits above 17 of each of 32 states, 64 bytes of low halves, the bits between.
      std::size_t between = 0;
      for (const u32 x : states) between += lanes == 32 ? static_cast<std::size_t>(std::bit_width(x)) - 17 : 0;
      EXPECT_EQ(bytes.size(), lanes == 32 ? 16 + 64 + (between + 7) / 8 : 4 * static_cast<std::size_t>(lanes));
      ByteReader in(bytes);
      read_states(in, lanes, back);
      EXPECT_EQ(in.remaining(), 0u);
      EXPECT_TRUE(std::equal(states.begin(), states.begin() + lanes, back.begin()));
    }
  }
  for (int bits = 1; bits <= 8; ++bits) {
    const auto symbols = gaussian(static_cast<std::size_t>(32 * symbols_per_seed(bits)), bits, 30, 5);
    LaneStates states;
    seed_lanes(symbols.data(), bits, states);
    std::vector<u8> back(symbols.size());
    ASSERT_TRUE(unseed_lanes(states, bits, back.data()));
    EXPECT_EQ(back, symbols);
    states[5] |= 1u << 17;
    EXPECT_FALSE(unseed_lanes(states, bits, back.data()));
  }
}

TEST(LowBits, JoinIsTheInverseOfSplitRangeByRange) {
  for (int bits = 2; bits <= 8; ++bits) {
    for (int low = 0; low < bits; ++low) {
      for (const std::size_t count : {1u, 7u, 31u, 32u, 33u, 63u, 64u, 65u, 1000u}) {
        const auto symbols = gaussian(count, bits, 40, count);
        const auto offset = static_cast<u8>((37 << low) & ((1 << bits) - 1));
        std::vector<u8> high(count), packed(low_bytes(count, low), 0xEE);
        const std::size_t cut = count / 2 / kLowAlignment * kLowAlignment;
        for (const LowRange& range : {LowRange{0, cut, count}, LowRange{cut, count - cut, count}}) {
          split_low_bits(symbols.data() + range.first, range, bits, low, offset, high.data() + range.first,
                         packed.data());
        }
        for (const u8 h : high) ASSERT_LT(h, 1 << (bits - low));
        // By definition (docs/format.md).
        std::size_t begin = 0;
        for (const int width : {4, 2, 1}) {
          if ((low & width) == 0) continue;
          const std::size_t a_word = 32 / static_cast<std::size_t>(width);
          const int shift = width == 4 ? 0 : width == 2 ? low & 4 : low & 6;
          for (std::size_t i = 0; i < count; ++i) {
            const std::size_t inside = i % a_word, byte = begin + i / a_word * 4 + inside % 4;
            const u32 u = (symbols[i] + offset) & ((1u << bits) - 1);
            ASSERT_EQ(u32{packed[byte]} >> inside / 4 * static_cast<std::size_t>(width) & ((1u << width) - 1),
                      u >> shift & ((1u << width) - 1))
                << bits << " " << low << " " << count << " " << i;
          }
          begin += (count + a_word - 1) / a_word * 4;
        }
        ASSERT_EQ(begin, packed.size());
        for (const LowRange& range : {LowRange{0, cut, count}, LowRange{cut, count - cut, count}})
          ASSERT_TRUE(join_low_bits(high.data() + range.first, range, bits, low, offset, packed.data()));
        ASSERT_EQ(high, symbols) << bits << " " << low << " " << count;
        if (low > 0 && count % (32 / static_cast<std::size_t>(low & -low)) != 0) {
          packed.back() |= 0x80;
          EXPECT_FALSE(join_low_bits(high.data() + cut, {cut, count - cut, count}, bits, low, offset, packed.data()));
        }
      }
    }
  }
}

// Every kernel writes the bytes that the scalar step writes, and reads them alike.
TEST(Streams, KernelsAgreeWithTheScalarStep) {
  for (const LaneKernels& kernels : all_lane_kernels()) {
    SCOPED_TRACE(kernels.name);
    for (const std::size_t count : {1u, 2u, 3u, 511u, 512u, 2047u, 2048u, 2049u, 4095u, 5000u, 10241u}) {
      for (const int bits : {2, 4, 8}) {
        for (const double sigma : {0.4, 2.0, 40.0}) {
          for (const int variant : {0, 1, 2, 3, 4}) {
            const int precision = variant == 1 ? 14 : variant == 2 ? 8 : 12, contexts = variant == 3 ? 5 : 1;
            const bool pairs = variant == 4;
            const Codes codes(count, bits, sigma, contexts, precision);
            if (pairs && codes.pair_code.lengths.size() == 1 && codes.pair_code.escape_length == 0)
              continue;  // one symbol only
            const StreamLayout layout{count, bits, 0, 0, 12};
            Coded reference;
            {
              const ForcedKernels scalar("scalar");
              reference = encode_with(codes, pairs, layout);
              ASSERT_EQ(decode_with(codes, pairs, layout, reference.bytes), codes.symbols);
            }
            const ForcedKernels forced(kernels.name);
            const Coded coded = encode_with(codes, pairs, layout);
            ASSERT_EQ(coded.bytes, reference.bytes) << count << " " << bits << " " << sigma << " " << variant;
            ASSERT_EQ(coded.ledger, reference.ledger);
            ASSERT_EQ(decode_with(codes, pairs, layout, coded.bytes), codes.symbols)
                << count << " " << bits << " " << sigma << " " << variant;
          }
        }
      }
    }
  }
}

// Uncoded bits, and windows that leave no room above the high parts, on every kernel.
TEST(Streams, CodeHighPartsBesideUncodedBits) {
  for (const LaneKernels& kernels : all_lane_kernels()) {
    const ForcedKernels forced(kernels.name);
    for (const std::size_t count : {5u, 700u, 3000u, 10241u}) {
      for (const int low : {1, 2, 3, 4, 5, 6, 7}) {
        for (const bool pairs : {false, true}) {
          if (pairs && low == 7) continue;  // one bit has nothing to pair
          // Symbols from 64 to 95 after the offset: high parts fit five bits less `low`, and one bit at least.
          std::vector<u8> symbols = gaussian(count, 5, 6, count);
          const auto offset = static_cast<u8>(3 << low);
          for (u8& s : symbols) s = static_cast<u8>(s - offset);
          const int window = std::max(5 - low, 1);
          Codes codes(count, window, 0.5, 1, 12);
          std::vector<u8> high = symbols;
          for (u8& s : high) s = static_cast<u8>(static_cast<u8>(s + offset) >> low);
          std::vector<u32> counts(std::size_t{1} << window, 1);
          std::vector<u64> pair_counts(counts.size(), 1);
          for (const u8 s : high) {
            ++counts[s];
            ++pair_counts[s];
          }
          BitWriter unused;
          codes.symbols = symbols;
          codes.tables = {write_table(counts, 12, unused)};
          codes.pair_code = choose_pair_code(pair_counts, window);
          const StreamLayout layout{count, 8, low, offset, 12, window};
          const Coded coded = encode_with(codes, pairs, layout);
          ASSERT_EQ(decode_with(codes, pairs, layout, coded.bytes), symbols)
              << kernels.name << " " << count << " " << low << " " << pairs;
        }
      }
    }
  }
}

// A damaged stream gives the same symbols or the same refusal whatever the kernel; sanitizers see that no read leaves
// it.
TEST(Streams, KernelsAgreeOnDamage) {
  const auto outcome = [](const Codes& codes, bool pairs, const StreamLayout& layout,
                          Bytes bytes) -> std::pair<std::string, std::vector<u8>> {
    try {
      return {"", decode_with(codes, pairs, layout, bytes)};
    } catch (const Error& error) {
      return {error.what(), {}};
    }
  };
  Philox random(11, 11);
  int refused = 0;
  for (const bool pairs : {false, true}) {
    const Codes codes(6000, 8, 20, 1, 12);
    const StreamLayout layout{6000, 8, 0, 0, 12};
    const Coded coded = encode_with(codes, pairs, layout);
    for (int trial = 0; trial < 400; ++trial) {
      std::vector<u8> bad = coded.bytes;
      if (trial % 4 == 0) {
        bad.resize(random.below(static_cast<u32>(bad.size())));
      } else {
        bad[random.below(static_cast<u32>(bad.size()))] ^= static_cast<u8>(1 + random.below(255));
      }
      force_lane_kernels("scalar");
      const auto expected = outcome(codes, pairs, layout, bad);
      refused += !expected.first.empty();
      for (const LaneKernels& kernels : all_lane_kernels()) {
        const ForcedKernels forced(kernels.name);
        EXPECT_EQ(outcome(codes, pairs, layout, bad), expected) << kernels.name << " " << trial;
      }
    }
  }
  force_lane_kernels({});
  EXPECT_GT(refused, 500);
}

TEST(Streams, ChunksDecodeByThemselves) {
  const Codes codes(10000, 8, 20, 3, 12);
  const StreamLayout layout{10000, 8, 0, 0, 11};
  const Coded coded = encode_with(codes, false, layout);
  ByteReader in(coded.bytes);
  const ChunkIndex index = read_chunk_index(in, layout);
  const RansDecodeTables tables(codes.tables);
  for (u64 first = 0; first < layout.chunks(); ++first) {
    for (u64 last = first + 1; last <= layout.chunks(); ++last) {
      const auto from = static_cast<std::ptrdiff_t>(layout.first(first));
      const auto to = static_cast<std::ptrdiff_t>(std::min<u64>(layout.first(last), layout.count));
      std::vector<u8> out(static_cast<std::size_t>(to - from));
      decode_chunks(index, layout, first, last, codes.contexts.data() + from, StreamDecoder(tables), out.data());
      EXPECT_TRUE(std::equal(out.begin(), out.end(), codes.symbols.begin() + from));
    }
  }
}

TEST(PairCode, IsCompleteNearTheEntropyAndReadsBack) {
  for (const int bits : {2, 3, 4, 5, 6, 8}) {
    for (const double sigma : {0.3, 0.8, 2.0, 3.5}) {
      const auto symbols = gaussian(200000, bits, sigma, 17);
      std::vector<u64> counts(std::size_t{1} << bits);
      for (const u8 s : symbols) ++counts[s];
      const PairCode code = choose_pair_code(counts, bits);
      LedgerWriter out;
      write_pair_code(code, out);
      ByteReader in(out.bytes());
      const PairCode back = read_pair_code(in, bits);
      EXPECT_EQ(in.remaining(), 0u);
      EXPECT_EQ(back.lengths, code.lengths);
      EXPECT_EQ(back.escape_length, code.escape_length);
      double entropy = 0;
      for (const u64 c : counts) {
        if (c > 0) entropy -= static_cast<double>(c) / 2e5 * std::log2(static_cast<double>(c) / 2e5);
      }
      EXPECT_LT(implied_pair_bits(counts, code), entropy + 0.05 + 0.3 * std::max(0.0, 1 - entropy))
          << bits << " " << sigma;
    }
  }
}

}  // namespace
}  // namespace wcodec
