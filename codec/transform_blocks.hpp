// The 8 × 8 blocks of a plane in coding order: cut from each tile at its upper left corner, whole ones only.
#pragma once

#include "core/tile.hpp"
#include "transforms/lifting.hpp"

namespace wcodec {

// Whole blocks in the tiles of a grid, which may be empty.
constexpr u64 block_count(const TileGrid& grid) noexcept {
  // Blocks down all rows of tiles times blocks across all columns of them: the tiles of a row are equally high.
  const auto along = [](i64 size, i64 tile) {
    return static_cast<u64>(size / tile * (tile / kBlockSide) + size % tile / kBlockSide);
  };
  return along(grid.rows, grid.shape.rows) * along(grid.cols, grid.shape.cols);
}

// body(block number, place of its first symbol in coding order, symbols between two of its rows)
template <class Body>
void for_each_block(const TileGrid& grid, const Body& body) {
  if (grid.rows == 0 || grid.cols == 0) return;
  std::size_t block = 0;
  for (i64 tile = 0; tile < grid.tiles(); ++tile) {
    const auto begin = static_cast<std::size_t>(grid.offset(tile));
    const auto stride = static_cast<std::size_t>(grid.tile_cols(tile));
    for (int r = 0; r + kBlockSide <= grid.tile_rows(tile); r += kBlockSide) {
      for (int c = 0; c + kBlockSide <= grid.tile_cols(tile); c += kBlockSide)
        body(block++, begin + static_cast<std::size_t>(r) * stride + static_cast<std::size_t>(c), stride);
    }
  }
}

// Of the i-th value of a block, row-major.
constexpr std::size_t block_place(std::size_t first, std::size_t stride, std::size_t i) noexcept {
  return first + i / kBlockSide * stride + i % kBlockSide;
}

}  // namespace wcodec
