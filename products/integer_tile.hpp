// Integers of eight and four bits as bf16, which holds every integer up to 256 exactly; scales are multiplied to sums.
//
// A bf16 with the high byte 0x43 is 128 + its low seven bits. So integers are stored such that a magnitude can be put
// there, and 128 is taken away again: exactly, two at a time. The hardware's conversions take one weight each, at a
// quarter of that rate.
#pragma once

#include <bit>

#include "products/tile_layout.hpp"

namespace wcodec {

// 128 twice, as bf16. Functions that decode are given it, so that kernels can keep it in a register that the compiler
// does not know for a constant: an instruction has room for one constant, and theirs is a mask.
inline constexpr u32 kPair128 = 0x43004300;

// Two bf16 less two bf16, where the differences are integers of magnitude below 256 and so exact.
WC_HD inline u32 subtract_bf16_pair(u32 a, u32 b) noexcept {
#ifdef __CUDA_ARCH__
  u32 out;
  asm("fma.rn.bf16x2 %0, %2, %3, %1;" : "=r"(out) : "r"(a), "r"(b), "r"(0xbf80bf80));  // a + b · −1
  return out;
#else
  u32 out = 0;
  for (int half = 0; half < 2; ++half) {
    const float x = std::bit_cast<float>((a >> 16 * half) << 16), y = std::bit_cast<float>((b >> 16 * half) << 16);
    out |= std::bit_cast<u32>(x - y) >> 16 << 16 * half;
  }
  return out;
#endif
}

// −127 … 127 as sign and magnitude, a byte each. The tile is for each pair of steps and each lane 16 bytes, those of
// (first step, row g), (first, g + 8), (second, g), (second, g + 8), four columns each.
struct Int8Tile {
  static constexpr int kBytes = kTileWeights;

  static constexpr u8 code(int value) noexcept { return static_cast<u8>(value < 0 ? 0x80 - value : value); }

  static WC_HD Fragment decode(u32 upper, u32 lower, u32 pair128) noexcept {
    return {{pair(upper, 0x1100, pair128), pair(lower, 0x1100, pair128), pair(upper, 0x3322, pair128),
             pair(lower, 0x3322, pair128)}};
  }

 private:
  // Each of two bytes in both halves of its place: magnitudes below, signs on top.
  static WC_HD u32 pair(u32 four, u32 selector, u32 pair128) noexcept {
    const u32 twice = permute_bytes(four, 0, selector);
    return subtract_bf16_pair((twice & 0x007f007f) | pair128, pair128) | (twice & 0x80008000);
  }
};

// 0 … 15, less a zero point. The tile is for each lane 16 bytes, a word a step, with the weight of half h of register i
// in bits 4i + 16h ….
struct Int4Tile {
  static constexpr int kBytes = kTileWeights / 2;
  static constexpr int kSymmetricZero = 8;  // −8 … 7 are stored as 0 … 15

  static constexpr int shift(int word, int half) noexcept { return 4 * word + 16 * half; }

  // 128 + the zero point, twice.
  static WC_HD u32 zero_pair(u32 zero) noexcept { return kPair128 | zero << 16 | zero; }

  static WC_HD Fragment decode(u32 eight, u32 zeros_upper, u32 zeros_lower, u32 pair128) noexcept {
    return {{subtract_bf16_pair((eight & 0x000f000f) | pair128, zeros_upper),
             subtract_bf16_pair((eight >> 4 & 0x000f000f) | pair128, zeros_lower),
             subtract_bf16_pair((eight >> 8 & 0x000f000f) | pair128, zeros_upper),
             subtract_bf16_pair((eight >> 12 & 0x000f000f) | pair128, zeros_lower)}};
  }
};

}  // namespace wcodec
