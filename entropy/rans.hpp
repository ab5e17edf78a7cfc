// rANS (Duda 2013): symbols with known frequencies become a number, almost without loss; decoding is a multiplication
// and a look-up.
//
// A stream is coded by 1, 8 or 32 interleaved states (lanes), symbol i by lane i mod lanes. A state x lies in [2^16,
// 2^32) and is renormalised by 16 bits, so that each symbol reads at most one 16-bit word; all lanes share one sequence
// of words, in the order in which the decoder takes them. The encoder runs backwards from x = 2^16, so the decoder must
// end there.
//   encode: while x ≥ f·2^(32−p): put low word, x >>= 16;  x = (x / f)·2^p + start + x mod f
//   decode: slot = x mod 2^p, s = symbol of slot;  x = f·(x >> p) + slot − start;  if x < 2^16: x = x·2^16 + next word
// The layout is the one that 32 lanes of SIMD or a CUDA warp decode in step (compare Giesen, "Interleaved entropy
// coders", 2014).
#pragma once

#include <array>
#include <vector>

#include "core/types.hpp"
#include "entropy/frequency_table.hpp"

namespace wcodec {

__extension__ typedef unsigned __int128 u128;

inline constexpr u32 kRansLow = u32{1} << 16;

// Lanes of a stream of `count` symbols: states must not outweigh short streams.
constexpr int rans_lanes(u64 count) noexcept { return count >= 8192 ? 32 : count >= 1024 ? 8 : 1; }

struct RansEncodeTable {
  struct Entry {
    u64 reciprocal;  // floor(2^64 / f) + 1: exact quotients for 32-bit numerators (f > 1)
    u32 limit;       // f·2^(32−p) − 1
    u16 frequency, start;
  };
  std::array<Entry, 256> entries;
  int precision;

  explicit RansEncodeTable(const FrequencyTable& table) noexcept;
};

// One encoding step; `put` takes the word that leaves, if any.
template <class Put>
inline u32 rans_encode_step(u32 x, const RansEncodeTable::Entry& e, int precision, Put&& put) noexcept {
  if (x > e.limit) {
    put(static_cast<u16>(x));
    x >>= 16;
  }
  const u32 quotient = e.frequency == 1 ? x : static_cast<u32>(static_cast<u128>(e.reciprocal) * x >> 64);
  return (quotient << precision) + (x - quotient * e.frequency) + e.start;
}

struct RansDecodeTable {
  struct Symbol {
    u16 frequency, start;
  };
  std::vector<u8> symbol_of_slot;  // 2^precision
  std::array<Symbol, 256> symbols;
  int precision;

  explicit RansDecodeTable(const FrequencyTable& table);
};

WC_HD inline u8 rans_decode_step(u32& x, const u8* symbol_of_slot, const RansDecodeTable::Symbol* symbols,
                                 int precision) noexcept {
  const u32 slot = x & ((u32{1} << precision) - 1);
  const u8 s = symbol_of_slot[slot];
  x = symbols[s].frequency * (x >> precision) + slot - symbols[s].start;
  return s;
}

// Encodes symbols[0, count) with table contexts[i] (or table 0 where contexts is null). Words are written backwards
// ending at `words_end`, at most one a symbol; returns how many. States are left in states[0, lanes). With words_end
// null nothing is written: a dry run that counts. Every symbol must have a frequency in its table.
std::size_t rans_encode(const u8* symbols, const u8* contexts, std::size_t count, const RansEncodeTable* tables,
                        int lanes, u32* states, u16* words_end) noexcept;

// Decodes count symbols. `words` holds 2·word_count bytes (any alignment). False if the words run out, are left over, a
// state is below 2^16 or does not end at 2^16: the stream is corrupt. Never reads outside `words`; `out` may then be
// partly written.
bool rans_decode(const u8* words, std::size_t word_count, u32* states, const u8* contexts, std::size_t count,
                 const RansDecodeTable* tables, int lanes, u8* out) noexcept;

// As above for a stream whose number of words is not known: takes what it needs from the front of `available` words and
// returns how many, or −1 when corrupt.
std::ptrdiff_t rans_decode_prefix(const u8* words, std::size_t available, u32* states, const u8* contexts,
                                  std::size_t count, const RansDecodeTable* tables, int lanes, u8* out) noexcept;

}  // namespace wcodec
