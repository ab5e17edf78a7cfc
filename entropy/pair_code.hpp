// A length-limited prefix code over pairs of symbols: one look-up of 12 bits yields two symbols.
//
// The step on a lane's state (lanes.hpp) is x → x >> length of the codeword that the low bits of x show. Joint coding
// of two symbols brings the redundancy of a prefix code down to about 0.01 bit a symbol (Huffman 1952; lengths are
// limited by Kraft-sum repair). Pairs too rare for a codeword of 12 bits share one, the escape; both symbols then
// follow as raw bits: after the round's words, escaped lanes in lane order take 2·bits bits from their states and
// refill once more.
//
// A code covers pairs (a, b) of the symbols [first, first + size) for which q_a + q_b ≤ limit, where q is a cost in
// quarter bits that the code carries for each symbol. The length of a pair is ⌊(q_a + q_b + 2) / 4⌋ (1 … 12) plus a
// correction, sent for each pair.
#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "core/ledger_writer.hpp"
#include "entropy/lanes.hpp"

namespace wcodec {

inline constexpr int kPairBits = 12;
inline constexpr std::size_t kPairSlots = std::size_t{1} << kPairBits;
inline constexpr int kMaxPairSymbols = 64;

struct PairCode {
  int bits = 8;                            // of a symbol, and of an escaped one
  u8 first = 0, size = 0;                  // symbols covered: 1 … 64 of them
  std::array<u8, kMaxPairSymbols> cost{};  // quarter bits, 0 … 63, of symbol first + i
  u8 limit = 0;                            // largest sum of costs that is covered
  u8 escape_length = 0;                    // 0: there is no escape, every pair that occurs is covered
  std::vector<u8> lengths;                 // size², row a, column b; 0: not covered

  bool covers(int a, int b) const noexcept {
    return cost[static_cast<std::size_t>(a)] + cost[static_cast<std::size_t>(b)] <= limit;
  }
};

// For symbols counted by `counts` (2^bits of them, at least two occur). Covers none (size 0) where all pairs are too
// rare.
PairCode choose_pair_code(std::span<const u64> counts, int bits);
// Bits a symbol that the code needs for independent symbols counted by `counts`, its own description left out.
double implied_pair_bits(std::span<const u64> counts, const PairCode& code) noexcept;

// About what choose_pair_code would reach, at a fraction of its time: for comparing alternatives.
double estimated_pair_bits(std::span<const u64> counts, int bits) noexcept;

// Booked under `table`.
void write_pair_code(const PairCode& code, LedgerWriter& out);
// Throws Error{corrupt | truncated}: lengths form a complete prefix code.
PairCode read_pair_code(ByteReader& in, int bits);

// An entry of the decoding table: the two symbols in coding order in the low bytes, the length in bits 16 … 20, the
// sign bit set for the escape. Unsigned shifts by `entry >> 16` modulo 32 are shifts by the length.
struct PairDecodeTable {
  std::vector<u32> slots;  // kPairSlots
  int bits;
  explicit PairDecodeTable(const PairCode& code);
};

// codeword | length << 16 | escape in the sign bit, at index(a, b): symbols outside of the code share a row and a
// column.
struct PairEncodeTable {
  static constexpr u32 kSide = kMaxPairSymbols + 1;
  std::vector<u32> entries;  // kSide²
  u32 first;
  int bits;
  explicit PairEncodeTable(const PairCode& code);
  u32 index(u8 a, u8 b) const noexcept {
    const u32 outside = kMaxPairSymbols;
    return std::min(a - first, outside) * kSide + std::min(b - first, outside);
  }
};

// Encodes symbols[0, count), in pairs; an odd last one is paired with `filler`, which must be a covered symbol.
// Contract as rans_encode: words go backwards from words_end, at most two a pair; states hold first and last states.
std::size_t pair_encode(const u8* symbols, std::size_t count, const PairEncodeTable& table, u8 filler, int lanes,
                        LaneStates& states, u16* words_end) noexcept;

// Finishes a stream of `lanes` lanes from wherever it stands, at a block's beginning. False if words run out.
bool pair_decode(LaneDecoder& stream, int lanes, const PairDecodeTable& table) noexcept;

}  // namespace wcodec
