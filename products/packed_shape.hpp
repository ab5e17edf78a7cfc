// What a kernel has to know of a packed matrix.
#pragma once

#include "core/types.hpp"

namespace wcodec {

// Bits a weight, without what a row or group adds.
enum class PackedFormat : u8 {
  bf16,          // 16: as it is, in tiles
  bf16_palette,  // 12, exact: palette_tile.hpp
  int8,          // 8, and scales
  int4,          // 4, and scales
};
sv to_string(PackedFormat format) noexcept;

// Made by packing (packed_matrix.hpp), with the image that offsets are into; they are multiples of 128.
struct PackedShape {
  PackedFormat format = PackedFormat::bf16;
  i64 rows = 0, cols = 0;
  u64 palettes_at = 0;                      // 8 bytes a row: entries of its palette
  u64 escape_begin_at = 0, escapes_at = 0;  // u32: begin of each row's escapes, and one more; column and bf16 of each
  u64 scales_at = 0, zeros_at = 0;          // [tile row][group][row]; zeros_at = 0: symmetric
  int group_shift = 0;                      // 2^group_shift tiles of a row share a scale
  i64 groups = 0;                           // of a row
  bool has_row_scales = false;              // a scale a row, f32; else one a group
  bool has_half_scales = false;             // those of groups are f16; else f32
  u64 image_size = 0;

  i64 tile_rows() const noexcept { return (rows + 15) / 16; }
  i64 tile_cols() const noexcept { return (cols + 63) / 64; }
  double bits_per_weight() const noexcept {
    return 8.0 * static_cast<double>(image_size) / (static_cast<double>(rows) * static_cast<double>(cols));
  }
};

}  // namespace wcodec
