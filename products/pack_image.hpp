// What the packing functions share: the bounds of a matrix, the image as it grows, and loops over tiles.
#pragma once

#include "core/ordered_parallel.hpp"
#include "products/packed_matrix.hpp"
#include "products/tile_layout.hpp"

namespace wcodec {

// Checks the bounds and that as many weights are given, sets format, rows and cols, and makes room for tiles of
// `tile_bytes`, all zero. Throws Error{usage | unsupported}.
PackedMatrix begin_packing(PackedFormat format, i64 rows, i64 cols, u64 given, u64 tile_bytes);

// Appends `bytes` to the image at the next multiple of 128 and returns where.
u64 append_to_image(PackedMatrix& matrix, Bytes bytes);

// Calls visit(i) for each row of tiles, in any order, on several threads.
template <class Visit>
void for_each_tile_row(const PackedShape& shape, const Visit& visit) {
  ordered_parallel(
      static_cast<u64>(shape.tile_rows()), {}, [](u64) { return u64{0}; },
      [&](u64 i) {
        visit(static_cast<i64>(i));
        return 0;
      },
      [](u64, int) {});
}

// Where a column stands in its tile: the lane without its row's part, the step, and which of the step's four columns.
struct ColumnPlace {
  int lane, step, column;
};
constexpr ColumnPlace column_place(i64 col) noexcept {
  const int c = static_cast<int>(col % kTileCols);
  return {c % 32 / 8, c / 32 * 2 + c % 8 / 4, c % 4};
}

}  // namespace wcodec
