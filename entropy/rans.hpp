// rANS (Duda 2013): symbols with known frequencies become a number, almost without loss; decoding is a multiplication
// and a look-up. The step on a lane's state (lanes.hpp), p being the tables' precision:
//   encode: if x ≥ f·2^(32−p): put the low word, x >>= 16;  x = ⌊x / f⌋·2^p + start + x mod f
//   decode: slot = x mod 2^p, s = symbol of slot;  x = f·⌊x / 2^p⌋ + slot − start;  then the lane refills
// Coding position i is lane i mod lanes's (compare Giesen, "Interleaved entropy coders", 2014).
#pragma once

#include <span>
#include <vector>

#include "entropy/frequency_table.hpp"
#include "entropy/lanes.hpp"

namespace wcodec {

// What encoding needs of symbol s in context k, at entries[256·k + s].
struct RansEncodeTables {
  struct Entry {
    u32 reciprocal;        // ⌊(2^32 − 1) / f⌋: the quotient it gives is at most one too small
    u16 frequency, start;  // f − 1 and the sum of the frequencies before
  };
  std::vector<Entry> entries;
  int precision;

  explicit RansEncodeTables(std::span<const FrequencyTable> contexts);
};

// Up to kFusedPrecision a slot's entry has all that a step needs; above it the table would outgrow the caches, and
// symbols are looked up first, their ranges second.
inline constexpr int kFusedPrecision = 12;

struct RansDecodeTables {
  std::vector<u32> slots;   // fused: symbol | (slot − start) << 8 | (f − 1) << 20, at context << precision | slot
  std::vector<u8> symbols;  // else: of a slot; with padding for loads of 4 bytes
  std::vector<u32> ranges;  // else: f − 1 | start << 16, at context << 8 | symbol
  int precision;

  explicit RansDecodeTables(std::span<const FrequencyTable> contexts);
  bool fused() const noexcept { return precision <= kFusedPrecision; }
};

// Encodes symbols[0, count), of which the first `blocked` stand in blocks, under contexts[i] (or context 0 where null).
// Words go backwards from words_end, at most one
// a symbol; returns how many. `states` holds the first states and receives the last. With words_end null nothing is
// written: a dry run that counts. Every symbol must have a frequency in its table.
std::size_t rans_encode(const u8* symbols, const u8* contexts, std::size_t count, std::size_t blocked,
                        const RansEncodeTables& tables, int lanes, LaneStates& states, u16* words_end) noexcept;

// Finishes a stream of `lanes` lanes from wherever it stands, at a block's beginning. False if words run out.
bool rans_decode(LaneDecoder& stream, int lanes, const RansDecodeTables& tables) noexcept;

}  // namespace wcodec
