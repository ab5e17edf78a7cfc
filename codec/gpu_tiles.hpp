// A tiled plane as the GPU restores it from decoded symbols: plain numbers that the host reads from a record and hands
// to kernels. Positions count from the beginning of the image (entropy/gpu_stream.hpp).
#pragma once

#include "core/tile.hpp"
#include "transforms/lifting.hpp"

namespace wcodec {

// How tiles of a mode are predicted.
struct GpuMode {
  u64 params;  // of the plane; those of tiles are found by tile_params_at
  u8 predictor, option;
  bool has_tile_params;
};

struct GpuTiles {
  i64 rows, cols;
  int tile_rows, tile_cols;
  u32 tiles, across;  // all of them; in a row of tiles
  u64 blocks_across;  // whole blocks in a row of blocks, over all tiles
  u8 bits, zero;
  u16 order;  // of its faults among those of the record (gpu_status)
  bool is_transformed;
  bool has_plane_params;  // of a predictor in the set
  u8 transform;           // of all blocks, where transform_of_block is 0
  bool is_xor;            // a symbol's byte of the word is symbol ^ xor_with, otherwise what `map` has
  u8 xor_with;
  u64 map;                 // 256 bytes
  u64 modes;               // GpuMode, one a mode
  u64 mode_of_tile;        // a byte a tile, or 0: all have the first
  u64 tile_params;         // bytes of all tiles that have some
  u64 tile_params_at;      // for each tile, u64: where in these
  u64 transform_of_block;  // ids, a byte a block in coding order, or 0
  u64 escapes;             // i16 each, in coding order
  u32 escape_count;
};

// Whole blocks of a tile, and how many stand before them in coding order.
struct TileBlocks {
  u64 first;
  int down, across;
  WC_HD constexpr int count() const noexcept { return down * across; }
};
// Of the tile in row `down` and column `across` of tiles, which has rows × cols symbols.
WC_HD constexpr TileBlocks blocks_of_tile(const GpuTiles& t, u32 down, u32 across, int rows, int cols) {
  const int blocks_down = rows / kBlockSide;
  const u64 above = u64{down} * static_cast<u64>(t.tile_rows / kBlockSide) * t.blocks_across;
  return {above + u64{across} * static_cast<u64>(t.tile_cols / kBlockSide * blocks_down), blocks_down,
          cols / kBlockSide};
}

// Bytes of scratch memory for the places of escapes: one u32 a tile, where there are escapes.
constexpr u64 escape_scratch(const GpuTiles& t) noexcept { return t.escape_count == 0 ? 0 : u64{t.tiles} * 4; }

}  // namespace wcodec
