// Tiles of 16 columns and 9 to 16 rows, the shape most used, restored in registers: a warp has two tiles, a lane a row.
#pragma once

#include "codec/restore_work.cuh"
#include "predictors/undo_rows.cuh"

namespace wcodec::gpu {

// Blocks of one half of the tile's columns: the lane's two words hold row `row` of its block. `id` is the block's.
__device__ inline void undo_block_row(const UndoBlocks& undo, u8 id, u64 block, int row, i32 (&values)[kBlockSide],
                                      u32 (&words)[2]) {
  const u32 eight = 0xffu << (threadIdx.x % kWarp & ~7u);
  const i32 half = 1 << (undo.tiles.bits - 1);
  inverse_lanes(id, values, row, undo.turned, eight);
  u8* const turned = reinterpret_cast<u8*>(undo.turned);
  __syncwarp(eight);
  u32 beyond = 0;
#pragma unroll
  for (int i = 0; i < kBlockSide; ++i) {
    beyond |= static_cast<u32>(values[i] + half);
    turned[kBlockSide * i + row] = static_cast<u8>(values[i]);
  }
  if (beyond >> undo.tiles.bits != 0) report(undo.status, GpuFault::bad_block, block, undo.tiles.order);
  __syncwarp(eight);
  const uint2 back = *reinterpret_cast<const uint2*>(turned + kBlockSide * row);
  words[0] = back.x;
  words[1] = back.y;
  __syncwarp(eight);
}

__device__ inline void centre_row(const u32 (&words)[2], i32 half, i32 (&values)[kBlockSide]) {
#pragma unroll
  for (int i = 0; i < kBlockSide; ++i) values[i] = (static_cast<i32>(words[i / 4] >> 8 * (i % 4) & 0xff) ^ half) - half;
}

// Which of a row's symbols call for an escape; none outside transformed blocks.
__device__ inline u32 escaped_of(const i32 (&values)[kBlockSide], i32 half, u8 id) {
  u32 escaped = 0;
#pragma unroll
  for (int i = 0; i < kBlockSide; ++i) escaped |= (values[i] == -half ? 1u : 0u) << i;
  return id == Identity::kId ? 0 : escaped;
}

// The four blocks of a tile, escapes included. `ids`: the transforms of the lane's left and right block.
__device__ inline void undo_blocks_of_rows(const UndoBlocks& undo, const LaneGroup& group, Row& row,
                                           const TileBlocks& blocks, const u8 (&ids)[2], u32 next_escape) {
  const i32 half = 1 << (undo.tiles.bits - 1);
  const int block_row = group.lane % kBlockSide, down = group.lane / kBlockSide;
  i32 values[2][kBlockSide];
  u32 escaped[2];
#pragma unroll
  for (int side = 0; side < 2; ++side) {
    const u32 words[2] = {row.four[2 * side], row.four[2 * side + 1]};
    centre_row(words, half, values[side]);
    escaped[side] = escaped_of(values[side], half, ids[side]);
  }
  if (__any_sync(group.mask, (escaped[0] | escaped[1]) != 0)) {
    // Escapes stand block by block: those of the upper blocks, then of the left one, then of the rows above.
    const u32 counts = static_cast<u32>(__popc(escaped[0]) | __popc(escaped[1]) << 16);
    const u32 up_to = group.sum_up_to(counts);
    const u32 upper = group.from(up_to, kBlockSide - 1), all = group.from(up_to, kRowSymbols - 1);
    const u32 before = down == 0 ? 0 : upper, own = down == 0 ? upper : all - upper, above = up_to - before - counts;
    const u32 left = next_escape + (before & 0xffff) + (before >> 16);
    undo.put_escapes_at(escaped[0], left + (above & 0xffff), values[0]);
    undo.put_escapes_at(escaped[1], left + (own & 0xffff) + (above >> 16), values[1]);
  }
#pragma unroll
  for (int side = 0; side < 2; ++side) {
    if (ids[side] == Identity::kId) continue;
    u32 words[2];
    undo_block_row(undo, ids[side], blocks.first + static_cast<u64>(2 * down + side), block_row, values[side], words);
    row.four[2 * side] = words[0];
    row.four[2 * side + 1] = words[1];
  }
  cut_to(row, static_cast<u8>(2 * half - 1));
}

constexpr bool fits_rows(const GpuTiles& tiles) noexcept {
  return tiles.tile_cols == kRowSymbols && tiles.cols % kRowSymbols == 0 && tiles.tile_rows <= kRowSymbols &&
         tiles.tile_rows > kBlockSide && !tiles.has_plane_params;
}

template <class Store>
__global__ void __launch_bounds__(kThreads)
    restore_rows(const __grid_constant__ GpuTiles tiles, const __grid_constant__ RestoreWork work,
                 const __grid_constant__ Store store) {
  __shared__ uint4 shared[(kMapBytes + Store::kValueBytes + kWarps * kTurnBytes) / 16];
  u8* const memory = reinterpret_cast<u8*>(shared);
  const u8* const map = load_map(tiles, work.image, memory);
  const auto output = store.output(work.image, reinterpret_cast<float*>(memory + kMapBytes), tiles.cols);
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const LaneGroup group(lane, kRowSymbols);
  const UndoBlocks undo{tiles, work.image, work.status,
                        reinterpret_cast<i16*>(memory + kMapBytes + Store::kValueBytes +
                                               static_cast<u32>(warp) * kTurnBytes + lane / kBlockSide * kTurnedBytes)};
  wait_for_kernels_before();
  for (u64 t = (u64{blockIdx.x} * kWarps + static_cast<u32>(warp)) * 2 + static_cast<u32>(lane / kRowSymbols);
       t < tiles.tiles; t += u64{gridDim.x} * kWarps * 2) {
    const TilePlace at = place_of_tile(tiles, static_cast<u32>(t));
    const bool has_row = group.lane < at.rows;
    Row row{};
    if (has_row) {
      const uint4 symbols = *reinterpret_cast<const uint4*>(work.symbols + at.coded + kRowSymbols * group.lane);
      row = {{symbols.x, symbols.y, symbols.z, symbols.w}};
    }
    const GpuMode mode = mode_of(tiles, work.image, t);
    if (tiles.is_transformed) {
      const TileBlocks blocks = blocks_of_tile(tiles, at.down, at.across, at.rows, at.cols);
      const int down = group.lane / kBlockSide;
      u8 ids[2] = {Identity::kId, Identity::kId};
      if (down < blocks.down) {
        ids[0] = undo.transform_of(blocks.first + static_cast<u64>(2 * down));
        ids[1] = undo.transform_of(blocks.first + static_cast<u64>(2 * down + 1));
      }
      if (__any_sync(group.mask, (ids[0] | ids[1]) != Identity::kId))
        undo_blocks_of_rows(undo, group, row, blocks, ids, first_escape(tiles, work, t));
    }
    Finish finish{tiles.is_xor ? four_times(tiles.xor_with) : 0, map};
    if (mode.predictor == None::kId) {
      finish.flip ^= four_times(tiles.zero);  // zero is 0 or the top bit: adding it modulo 2^bits is flipping it
    } else {
      undo_rows(mode.predictor, row, context_of(tiles, work.image, mode, t), group, has_row);
    }
    Piece<kRowSymbols> piece;
#pragma unroll
    for (int i = 0; i < kRowWords; ++i) piece.four[i] = finish.four(row.four[i]);
    if (has_row) output.put(at.row + group.lane, at.col, piece);
  }
}

}  // namespace wcodec::gpu
