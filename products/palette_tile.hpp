// bf16 in twelve bits, losslessly: a raw byte and a nibble a weight.
//
// The raw byte is the low byte of the weight, mantissa and last bit of the exponent. Of the high byte, the sign is
// stored as it is, and the other seven bits are an index of three bits into the row's palette of eight: fifteen or
// sixteen neighbouring exponents, where a Gaussian row needs about thirteen. Entry 0 of each palette is 0, so that
// zeros need no special case. A weight whose exponent is not in the palette is an escape: its code is that of +0, and
// it stands in a list of its own.
//
// The index is the selector of a byte permutation, which looks up four weights at once: 11 instructions decode eight.
#pragma once

#include "products/tile_layout.hpp"

namespace wcodec {

// Entries are high bytes without the sign.
struct Palette {
  u32 low, high;  // entries 0 … 3 and 4 … 7, the first in the low byte
};

// The tile in memory: for each pair of steps and each lane 16 bytes, the raw bytes of (first step, row g), (first step,
// row g + 8), (second, g), (second, g + 8), four columns each; then for each lane 16 bytes, a word of codes a step.
//
// A word of codes: bits 4i … 4i + 2 index the palette for column i of row g, bits 16 + 4i … of row g + 8. The bits
// between are signs, where they are needed: 8i + 7 for column i of row g, 8i + 3 of row g + 8.
struct PaletteTile {
  static constexpr int kBytes = kTileWeights * 3 / 2;
  static constexpr int kCodesAt = kTileWeights;  // where codes begin

  static WC_HD Fragment decode(u32 raw, u32 raw_below, u32 codes, Palette palette, Palette palette_below) noexcept {
    const u32 index = codes & 0x77777777;
    const u32 high = permute_bytes(palette.low, palette.high, index) | (codes & 0x80808080);
    const u32 high_below =
        permute_bytes(palette_below.low, palette_below.high, index >> 16) | (codes << 4 & 0x80808080);
    return {{permute_bytes(raw, high, 0x5140), permute_bytes(raw_below, high_below, 0x5140),
             permute_bytes(raw, high, 0x7362), permute_bytes(raw_below, high_below, 0x7362)}};
  }
};

}  // namespace wcodec
