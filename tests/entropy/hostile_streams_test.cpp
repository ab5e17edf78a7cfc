// Rows 12 to 15 of the hostile inputs: tables and streams that do not add up, on every instruction set.
#include <gtest/gtest.h>

#include <numeric>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "entropy/chunked_stream.hpp"

namespace wcodec {
namespace {

// Streams of 1, 8 and 32 lanes.
constexpr std::size_t kCounts[] = {300, 1000, 5000};

// Runs `body` with every kernel of the machine.
template <class Body>
void on_every_kernel(Body body) {
  for (const LaneKernels& kernels : all_lane_kernels()) {
    SCOPED_TRACE(kernels.name);
    force_lane_kernels(kernels.name);
    body();
  }
  force_lane_kernels({});
}

// Two contexts: one whose only symbol has all of the frequency, and one of many symbols.
struct Stream {
  std::vector<u8> symbols, contexts;
  std::vector<FrequencyTable> tables;
  std::vector<u8> coded;
  StreamLayout layout;
  std::size_t index_bytes = 0;

  explicit Stream(std::size_t count) : symbols(count), contexts(count), layout{count, 8, 0, 0, 13} {
    Philox random(12, 13);
    std::vector<u32> constant(256), counts(256);
    for (std::size_t i = 0; i < count; ++i) {
      contexts[i] = static_cast<u8>(random.below(2));
      symbols[i] = contexts[i] == 0 ? u8{7} : static_cast<u8>(random.below(64));
      ++(contexts[i] == 0 ? constant : counts)[symbols[i]];
    }
    BitWriter unused;
    tables.push_back(write_table(constant, 12, unused));
    tables.push_back(write_table(counts, 12, unused));
    LedgerWriter out;
    const RansEncodeTables encoder(tables);
    encode_chunks(symbols, contexts.data(), layout, StreamEncoder(encoder), out);
    coded = out.bytes();
    index_bytes = static_cast<std::size_t>(out.ledger()[LedgerEntry::index]);
  }

  Bytes chunk() const { return Bytes(coded).subspan(index_bytes); }
  // Decodes a chunk of these bytes, which lie in an allocation of their own.
  std::vector<u8> decode(const std::vector<u8>& bytes) const {
    const ChunkIndex index{{0, bytes.size()}, bytes};
    const RansDecodeTables decoder(tables);
    std::vector<u8> out(symbols.size());
    decode_chunks(index, layout, 0, 1, contexts.data(), StreamDecoder(decoder), out.data());
    return out;
  }
  void expect_refused(std::vector<u8> bytes, const char* why) const {
    bytes.shrink_to_fit();
    on_every_kernel([&] {
      try {
        decode(bytes);
        ADD_FAILURE() << why << ": decoded";
      } catch (const Error& error) {
        EXPECT_TRUE(error.kind() == ErrorKind::corrupt || error.kind() == ErrorKind::truncated) << error.what();
      }
    });
  }
};

// The format holds weights, not frequencies: what is read sums to 2^precision, whatever the bits.
TEST(HostileStreams, Row12_EveryTableThatIsReadSumsToItsPrecision) {
  Philox random(12, 0);
  int accepted = 0;
  for (int trial = 0; trial < 20'000; ++trial) {
    const int bits = 1 + static_cast<int>(random.below(8)), precision = 8 + static_cast<int>(random.below(8));
    std::vector<u8> bytes(1 + random.below(200));
    for (u8& byte : bytes) byte = static_cast<u8>(random.below(256));
    // Kind 1, weights, so that not all of them are constants.
    if (trial % 2 == 0) bytes[0] = static_cast<u8>((bytes[0] & ~3u) | 1u);
    ByteReader in(bytes);
    BitReader reader(in);
    try {
      const FrequencyTable table = read_table(bits, precision, reader);
      ++accepted;
      u32 sum = 0;
      for (std::size_t s = 0; s < 256; ++s) {
        if (table.frequency[s] == 0) continue;
        ASSERT_EQ(table.start[s], sum);
        ASSERT_LT(s, std::size_t{1} << bits);
        sum += table.frequency[s];
      }
      ASSERT_EQ(sum, u32{1} << precision);
    } catch (const Error& error) {
      ASSERT_TRUE(error.kind() == ErrorKind::corrupt || error.kind() == ErrorKind::truncated) << error.what();
    }
  }
  EXPECT_GT(accepted, 1000);
}

TEST(HostileStreams, Row12_PairCodesThatAreNotCompleteAreRefused) {
  std::vector<u64> counts(16);
  for (std::size_t s = 0; s < 16; ++s) counts[s] = s < 8 ? 1000 >> s : 0;
  PairCode code = choose_pair_code(counts, 4);
  const auto read_back = [](const PairCode& written) {
    LedgerWriter out;
    write_pair_code(written, out);
    ByteReader in(out.bytes());
    return read_pair_code(in, 4);
  };
  EXPECT_EQ(read_back(code).lengths, code.lengths);
  for (const int change : {-1, 1}) {
    PairCode broken = code;
    const auto longest = std::max_element(broken.lengths.begin(), broken.lengths.end());
    const auto shortest = std::min_element(broken.lengths.begin(), broken.lengths.end(),
                                           [](u8 a, u8 b) { return (a == 0 ? 255 : a) < (b == 0 ? 255 : b); });
    auto& length = change < 0 ? *longest : *shortest;
    length = static_cast<u8>(length + change);
    EXPECT_THROW(read_back(broken), Error) << change;
  }
}

TEST(HostileStreams, Row13_ASymbolWithAllOfTheFrequencyIsExact) {
  for (const std::size_t count : kCounts) {
    const Stream stream(count);
    ASSERT_EQ(stream.tables[0].frequency[7], u32{1} << 12);
    on_every_kernel([&] {
      EXPECT_EQ(stream.decode({stream.chunk().begin(), stream.chunk().end()}), stream.symbols);
      LedgerWriter out;
      const RansEncodeTables encoder(stream.tables);
      encode_chunks(stream.symbols, stream.contexts.data(), stream.layout, StreamEncoder(encoder), out);
      EXPECT_EQ(out.bytes(), stream.coded);
    });
  }
}

// In 32 lanes the final states carry symbols, so that nearly every one is right: there the checksum has to tell.
TEST(HostileStreams, Row14_WrongStatesAreRefused) {
  for (const std::size_t count : {kCounts[0], kCounts[1]}) {
    const Stream stream(count);
    const std::vector<u8> good(stream.chunk().begin(), stream.chunk().end());
    for (std::size_t lane = 0; lane < static_cast<std::size_t>(lanes_of(count)); ++lane) {
      std::vector<u8> bad = good;
      bad[4 * lane] ^= 1;
      stream.expect_refused(bad, "another initial state, so another final one");
      bad = good;
      bad[4 * lane + 2] = bad[4 * lane + 3] = 0;
      stream.expect_refused(bad, "a state below 2^16");
    }
  }
}

TEST(HostileStreams, Row14_WordsLeftUnreadAreRefused) {
  for (const std::size_t count : kCounts) {
    const Stream stream(count);
    std::vector<u8> longer(stream.chunk().begin(), stream.chunk().end());
    longer.insert(longer.end(), {0x12, 0x34});
    stream.expect_refused(longer, "a word more");
    longer.pop_back();
    stream.expect_refused(longer, "half a word more");
  }
}

TEST(HostileStreams, Row15_AStreamThatEndsInMidRenormalisationIsRefused) {
  for (const std::size_t count : kCounts) {
    const Stream stream(count);
    const std::vector<u8> good(stream.chunk().begin(), stream.chunk().end());
    for (std::size_t size = 0; size < good.size(); size += size < 200 || size + 200 > good.size() ? 1 : 37)
      stream.expect_refused({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)}, "cut");
  }
}

}  // namespace
}  // namespace wcodec
