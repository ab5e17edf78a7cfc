// How a packed matrix is cut and ordered, so that what a lane loads is what it feeds to the tensor core.
//
// A matrix is cut into tiles of 16 rows × 64 columns; tiles of the same rows lie one after another, and the last ones
// are filled up with zeros. A warp multiplies a tile in four steps, one mma.m16n8k16 each (PTX ISA, "Matrix Fragments
// for mma.m16n8k16"). The order of the columns within a product is free as long as x has the same, so lane 4g + t is
// given rows g and g + 8 and the columns 8t … 8t + 7 of either half of the tile: two loads of 16 bytes bring it its
// part of a vector, four lanes reading 64 bytes in one piece, and x needs no shared memory. Steps 0 and 1 take the
// columns of the first half, four each, steps 2 and 3 those of the second.
#pragma once

#include "core/types.hpp"

namespace wcodec {

inline constexpr int kTileRows = 16, kTileCols = 64, kTileWeights = kTileRows * kTileCols;
inline constexpr int kTileSteps = 4;  // products of 16 columns in a tile
inline constexpr int kWarpLanes = 32;

// What a lane gives to one step: four registers of two bf16 each, the first in the low half. Registers 0 and 2 are of
// row g, columns 0, 1 and 2, 3 of its four; registers 1 and 3 the same of row g + 8.
struct Fragment {
  u32 words[4];
};

// Row and column in the tile of the weight in half `half` of register `word` of step `step`, lane `lane`.
struct TilePlace {
  int row, col;
};
WC_HD constexpr TilePlace place_in_tile(int lane, int step, int word, int half) noexcept {
  return {lane / 4 + 8 * (word & 1), 32 * (step / 2) + 8 * (lane % 4) + 4 * (step % 2) + 2 * (word >> 1) + half};
}

// Bytes of `low` and `high` (0 … 3 and 4 … 7) chosen by the low three bits of the four low nibbles of `selector`: PTX's
// prmt, for selectors without its sign mode.
WC_HD inline u32 permute_bytes(u32 low, u32 high, u32 selector) noexcept {
#ifdef __CUDA_ARCH__
  return __byte_perm(low, high, selector);
#else
  const u64 bytes = u64{high} << 32 | low;
  u32 out = 0;
  for (int b = 0; b < 4; ++b) out |= static_cast<u32>(bytes >> 8 * (selector >> 4 * b & 7) & 0xff) << 8 * b;
  return out;
#endif
}

}  // namespace wcodec
