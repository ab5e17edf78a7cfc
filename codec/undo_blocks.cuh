// The transformed blocks of a tile on the GPU: symbols and escapes to residuals, in place, eight lanes a block.
#pragma once

#include "codec/gpu_tiles.hpp"
#include "core/tile.hpp"
#include "entropy/gpu_stream.hpp"
#include "predictors/lane_group.cuh"
#include "transforms/inverse_lanes.cuh"

namespace wcodec::gpu {

__device__ inline void report(u64* status, GpuFault fault, u64 index, u16 order) {
  atomicMax(reinterpret_cast<unsigned long long*>(status), gpu_status(fault, index, order));
}

struct UndoBlocks {
  const GpuTiles& tiles;
  const u8* image;
  u64* status;
  i16* turned;  // kTurnedBytes for each eight lanes of the warp, this lane's

  __device__ u8 transform_of(u64 block) const {
    return tiles.transform_of_block != 0 ? image[tiles.transform_of_block + block] : tiles.transform;
  }
  __device__ u32 escape() const { return 1u << (tiles.bits - 1); }

  // Row `row` of the block at (r, c) of the tile. Rows lie at multiples of 4 where kWords says so.
  template <bool kWords>
  __device__ static void read_row(const Tile<u8>& tile, int r, int c, u32 (&symbols)[kBlockSide]) {
    const u8* const from = &tile(r, c);
    if constexpr (kWords) {
      const u32 low = reinterpret_cast<const u32*>(from)[0], high = reinterpret_cast<const u32*>(from)[1];
#pragma unroll
      for (int i = 0; i < kBlockSide; ++i) symbols[i] = (i < 4 ? low : high) >> 8 * (i % 4) & 0xff;
    } else {
#pragma unroll
      for (int i = 0; i < kBlockSide; ++i) symbols[i] = from[i];
    }
  }

  // All lanes of the group, of at least eight. `next_escape`: number of the tile's first.
  template <bool kWords>
  __device__ void run(const LaneGroup& group, const Tile<u8>& tile, const TileBlocks& blocks, u32 next_escape) const {
    const int row = group.lane % kBlockSide, at_once = group.size / kBlockSide, slot = group.lane / kBlockSide;
    const u32 eight = 0xffu << (threadIdx.x % 32 & ~7u);
    const i32 half = 1 << (tiles.bits - 1);
    for (int first = 0; first < blocks.count(); first += at_once) {
      const int block = first + slot;
      const bool has_block = block < blocks.count();
      const u8 id = has_block ? transform_of(blocks.first + static_cast<u64>(block)) : Identity::kId;
      const int r = block / blocks.across * kBlockSide, c = block % blocks.across * kBlockSide;
      i32 values[kBlockSide] = {};
      u32 escaped = 0;  // which of the row
      if (id != Identity::kId) {
        u32 symbols[kBlockSide];
        read_row<kWords>(tile, r + row, c, symbols);
#pragma unroll
        for (int i = 0; i < kBlockSide; ++i) {
          values[i] = (static_cast<i32>(symbols[i]) ^ half) - half;
          escaped |= (symbols[i] == escape() ? 1u : 0u) << i;
        }
      }
      if (__any_sync(group.mask, escaped != 0)) next_escape += put_escapes(group, escaped, next_escape, values);
      if (id == Identity::kId) continue;
      inverse_lanes(id, values, row, turned, eight);
      bool fits = true;
#pragma unroll
      for (int i = 0; i < kBlockSide; ++i) {
        fits = fits && values[i] >= -half && values[i] < half;
        tile(r + i, c + row) = static_cast<u8>(values[i] & (2 * half - 1));
      }
      if (!fits) report(status, GpuFault::bad_block, blocks.first + static_cast<u64>(block), tiles.order);
    }
    group.sync();
  }

  // Escapes stand in coding order, which is the order of lanes. Returns how many the group has taken.
  __device__ u32 put_escapes(const LaneGroup& group, u32 escaped, u32 first, i32 (&values)[kBlockSide]) const {
    const u32 mine = static_cast<u32>(__popc(escaped)), end = group.sum_up_to(mine);
    put_escapes_at(escaped, first + end - mine, values);
    return group.from(end, group.size - 1);
  }
  // The lane's own, from number `at` on.
  __device__ void put_escapes_at(u32 escaped, u32 at, i32 (&values)[kBlockSide]) const {
    const i16* const escapes = reinterpret_cast<const i16*>(image + tiles.escapes);
#pragma unroll
    for (int i = 0; i < kBlockSide; ++i) {
      if ((escaped >> i & 1) == 0) continue;
      values[i] = at < tiles.escape_count ? escapes[at] : 0;
      ++at;
    }
    if (escaped != 0 && at > tiles.escape_count) report(status, GpuFault::bad_escapes, tiles.escape_count, tiles.order);
  }
};

}  // namespace wcodec::gpu
