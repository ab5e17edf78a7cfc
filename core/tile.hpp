// Tiles: rectangular windows of a matrix, edge tiles cut. Coding order is tile by tile, row-major over tiles, and
// row-major inside a tile.
#pragma once

#include <algorithm>
#include <string>

#include "core/types.hpp"

namespace wcodec {

template <class W>
struct Tile {
  W* at;
  int rows, cols;
  std::ptrdiff_t stride;  // elements between two rows
  WC_HD constexpr W& operator()(int r, int c) const noexcept { return at[r * stride + c]; }
};

struct TileShape {
  int rows = 16, cols = 16;
  friend constexpr bool operator==(TileShape, TileShape) = default;
};

inline constexpr int kMaxTileSide = 4096;
inline constexpr i64 kMaxTileArea = i64{1} << 20;

// "16x16"; sides 1…kMaxTileSide, area at most kMaxTileArea. Throws Error{usage}.
TileShape parse_tile(sv text);
std::string to_string(TileShape shape);

// How a rows × cols matrix falls into tiles.
struct TileGrid {
  i64 rows, cols;
  TileShape shape;

  constexpr i64 down() const noexcept { return (rows + shape.rows - 1) / shape.rows; }
  constexpr i64 across() const noexcept { return (cols + shape.cols - 1) / shape.cols; }
  constexpr i64 tiles() const noexcept { return down() * across(); }
  constexpr i64 first_row(i64 tile) const noexcept { return tile / across() * shape.rows; }
  constexpr i64 first_col(i64 tile) const noexcept { return tile % across() * shape.cols; }
  constexpr int tile_rows(i64 tile) const noexcept {
    return static_cast<int>(std::min<i64>(shape.rows, rows - first_row(tile)));
  }
  constexpr int tile_cols(i64 tile) const noexcept {
    return static_cast<int>(std::min<i64>(shape.cols, cols - first_col(tile)));
  }
  // Position of the tile's first element in coding order: a whole band of tiles above, then the tiles to the left.
  constexpr i64 offset(i64 tile) const noexcept { return first_row(tile) * cols + first_col(tile) * tile_rows(tile); }
  template <class W>
  constexpr Tile<W> tile(W* matrix, i64 index) const noexcept {
    return {matrix + first_row(index) * cols + first_col(index), tile_rows(index), tile_cols(index), cols};
  }
};

}  // namespace wcodec
