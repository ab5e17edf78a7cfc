// A tile between coding order, shared memory and its place in the matrix; a group of lanes moves it.
//
// kWidth: bytes that move at once, 16, 4 or 1. It divides the columns of every tile and of the matrix, so that rows of
// tiles begin at multiples of it everywhere.
#pragma once

#include "codec/gpu_tiles.hpp"
#include "codec/word_output.cuh"
#include "predictors/lane_group.cuh"

namespace wcodec::gpu {

struct TilePlace {
  u32 down, across;  // its row and column of tiles
  int rows, cols;
  i64 row, col;  // of its first symbol in the matrix
  u64 coded;     // and that symbol's place in coding order
};

__device__ inline TilePlace place_of_tile(const GpuTiles& t, u32 tile) {
  TilePlace at;
  at.down = tile / t.across;
  at.across = tile - at.down * t.across;
  at.row = i64{at.down} * t.tile_rows;
  at.col = i64{at.across} * t.tile_cols;
  at.rows = static_cast<int>(min(i64{t.tile_rows}, t.rows - at.row));
  at.cols = static_cast<int>(min(i64{t.tile_cols}, t.cols - at.col));
  at.coded = static_cast<u64>(at.row * t.cols + at.col * at.rows);
  return at;
}

// Bytes from one row of a tile in shared memory to the next: an odd number of words, so that lanes with a row each meet
// different banks.
WC_HD constexpr int shared_pitch(int cols) { return ((cols + 3) / 4 | 1) * 4; }

// body(row, column) for each kWidth bytes of the tile.
template <int kWidth, class Body>
__device__ void for_each_piece(const LaneGroup& group, int rows, int cols, const Body& body) {
  const u32 of_row = static_cast<u32>(cols / kWidth), pieces = of_row * static_cast<u32>(rows);
  for (u32 i = static_cast<u32>(group.lane); i < pieces; i += static_cast<u32>(group.size)) {
    const u32 r = of_row == 1 ? i : i / of_row;
    body(static_cast<int>(r), static_cast<int>(i - r * of_row) * kWidth);
  }
}

template <int kWidth>
__device__ void load_tile(const LaneGroup& group, const u8* coded, const Tile<u8>& tile) {
  for_each_piece<kWidth>(group, tile.rows, tile.cols, [&](int r, int c) {
    const u8* const from = coded + r * tile.cols + c;
    u8* const to = &tile(r, c);
    if constexpr (kWidth == 16) {
      const uint4 v = *reinterpret_cast<const uint4*>(from);
      u32* const words = reinterpret_cast<u32*>(to);  // rows lie at multiples of 4 only
      words[0] = v.x, words[1] = v.y, words[2] = v.z, words[3] = v.w;
    } else if constexpr (kWidth == 4) {
      *reinterpret_cast<u32*>(to) = *reinterpret_cast<const u32*>(from);
    } else {
      *to = *from;
    }
  });
}

// What a symbol's byte becomes on its way out.
struct Finish {
  u32 flip;       // four bytes, to be combined by exclusive or
  const u8* map;  // 256 bytes in shared memory to look the result up in, or null
  __device__ u32 four(u32 symbols) const {
    const u32 v = symbols ^ flip;
    if (map == nullptr) return v;
    return map[v & 0xff] | map[v >> 8 & 0xff] << 8 | map[v >> 16 & 0xff] << 16 | u32{map[v >> 24]} << 24;
  }
  __device__ u8 one(u8 symbol) const {
    const u8 v = symbol ^ static_cast<u8>(flip);
    return map == nullptr ? v : map[v];
  }
};

// `row`, `col`: of the tile's first symbol in the matrix.
template <int kWidth, class Output>
__device__ void store_tile(const LaneGroup& group, const Tile<u8>& tile, const Finish& finish, const Output& output,
                           i64 row, i64 col) {
  for_each_piece<kWidth>(group, tile.rows, tile.cols, [&](int r, int c) {
    Piece<kWidth> piece;
    if constexpr (kWidth == 1) {
      piece.four[0] = finish.one(tile(r, c));
    } else {
      const u32* const words = reinterpret_cast<const u32*>(&tile(r, c));
#pragma unroll
      for (int i = 0; i < kWidth / 4; ++i) piece.four[i] = finish.four(words[i]);
    }
    output.put(row + r, col + c, piece);
  });
}

}  // namespace wcodec::gpu
