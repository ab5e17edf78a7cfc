// Symbols cut into a coded high part and uncoded low bits, and joined again: u = (symbol + offset) mod 2^bits, high = u
// >> low.
//
// The low bits stand in words of 32 bits that four neighbouring symbols read with one shift and one mask, in SIMD lanes
// and on a GPU alike. They are cut into parts of 4, 2 and 1 bits (those whose sum `low` is, from the lowest bits up),
// and a part of p bits is a section of its own: word i has the symbols from 32/p · i on, of which number 4k + b lies in
// bits 8b + pk … 8b + pk + p − 1. Sections follow one another, largest part first.
#pragma once

#include "core/types.hpp"

namespace wcodec {

struct LowPart {
  int width = 0;  // bits: 4, 2 or 1
  int shift = 0;  // of the symbol's low bits, from here on
};
// The parts of `low` (0 … 7) bits, and where each one's section begins for `count` symbols.
struct LowParts {
  LowPart part[3];
  u64 offset[3] = {};
  int count = 0;
  u64 size = 0;  // bytes of all sections

  WC_HD constexpr LowParts(u64 symbols, int low) {
    for (int width = 4; width > 0; width /= 2) {
      if ((low & width) == 0) continue;
      part[count] = {width, low & ~(2 * width - 1)};
      offset[count++] = size;
      const u64 a_word = static_cast<u64>(32 / width);
      size += (symbols + a_word - 1) / a_word * 4;
    }
  }
};
WC_HD constexpr u64 low_bytes(u64 symbols, int low) { return LowParts(symbols, low).size; }
// Ranges of symbols that are cut or joined by themselves begin at multiples of this, where a word of every part does.
inline constexpr u64 kLowAlignment = 32;

// The range [first, first + count) of a stream of `total` symbols: `symbols` and `high` point to its first one,
// `packed` to the stream's first section, low_bytes(total, low) of it. Words of the range are written whole, padded
// with zero bits. `low` < `bits` ≤ 8, and `offset` is a multiple of 2^low below 2^bits.
struct LowRange {
  u64 first;
  std::size_t count;
  u64 total;
};
void split_low_bits(const u8* symbols, const LowRange& range, int bits, int low, u8 offset, u8* high,
                    u8* packed) noexcept;
// In place: symbols come in as high parts. False if padding bits are not zero.
bool join_low_bits(u8* symbols, const LowRange& range, int bits, int low, u8 offset, const u8* packed) noexcept;

}  // namespace wcodec
