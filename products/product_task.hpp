// What a product kernel is told. Pointers are to device memory.
#pragma once

#include "products/packed_shape.hpp"
#include "products/product_vectors.hpp"

namespace wcodec {

struct ProductTask {
  const u8* tiles;
  const u8* palettes;       // 8 bytes a row, rows of padding included
  const u32* escape_begin;  // rows + 1 of them; null where the format has no escapes
  const u32* escapes;       // column in the low half, bf16 in the high half
  const void* scales;       // f32 or f16; [tile row][group][row of the tile]
  const u8* zeros;          // likewise, a byte each; null: symmetric
  int rows, cols, tile_rows, tile_cols;
  int group_shift, groups;  // 2^group_shift tiles of a row share a scale; groups of a row
  u32 pair128;              // kPair128 (integer_tile.hpp)
  bool y_is_float;
  int batch;
  const u16* x;
  void* y;
  i64 x_stride, y_stride;
};

// Throws Error{usage} for vectors that are not as product_vectors.hpp describes them.
ProductTask product_task(const PackedShape& shape, const u8* image, const ProductVectors& vectors);

}  // namespace wcodec
