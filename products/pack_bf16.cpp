#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <numeric>

#include "core/error.hpp"
#include "products/pack_image.hpp"
#include "products/palette_tile.hpp"

namespace wcodec {
namespace {

static_assert(std::endian::native == std::endian::little, "words of a tile are written in the machine's order");

// The high byte without the sign: what a palette holds.
constexpr u8 high_bits(u16 weight) noexcept { return static_cast<u8>(weight >> 8 & 0x7f); }

// 0, then the seven most frequent others (of equally frequent ones the larger, so that the tail stays below).
std::array<u8, 8> choose_palette(std::span<const u16> row) {
  std::array<u32, 128> counts{};
  for (const u16 weight : row) ++counts[high_bits(weight)];
  std::array<u8, 128> order;
  std::iota(order.begin(), order.end(), u8{0});
  std::partial_sort(order.begin() + 1, order.begin() + 8, order.end(),
                    [&](u8 a, u8 b) { return counts[a] != counts[b] ? counts[a] > counts[b] : a > b; });
  std::array<u8, 8> palette;
  std::copy_n(order.begin(), 8, palette.begin());
  return palette;
}

}  // namespace

PackedMatrix pack_bf16_plain(i64 rows, i64 cols, std::span<const u16> weights) {
  PackedMatrix out = begin_packing(PackedFormat::bf16, rows, cols, weights.size(), 2 * kTileWeights);
  for_each_tile_row(out.shape, [&](i64 tile_row) {
    for (i64 row = tile_row * kTileRows; row < std::min(rows, (tile_row + 1) * kTileRows); ++row) {
      for (i64 col = 0; col < cols; ++col) {
        const auto [quarter, step, column] = column_place(col);
        const i64 lane = row % 8 * 4 + quarter, word = column / 2 * 2 + row % kTileRows / 8;
        u8* tile = out.image.data() + (tile_row * out.shape.tile_cols() + col / kTileCols) * 2 * kTileWeights;
        std::memcpy(tile + (step * kWarpLanes + lane) * 16 + word * 4 + column % 2 * 2, &weights[row * cols + col], 2);
      }
    }
  });
  return out;
}

PackedMatrix pack_bf16_palette(i64 rows, i64 cols, std::span<const u16> weights) {
  PackedMatrix out = begin_packing(PackedFormat::bf16_palette, rows, cols, weights.size(), PaletteTile::kBytes);
  const PackedShape& shape = out.shape;
  std::vector<u8> palettes(static_cast<u64>(shape.tile_rows()) * kTileRows * 8);
  std::vector<std::vector<u32>> escapes(static_cast<u64>(rows));
  for_each_tile_row(shape, [&](i64 tile_row) {
    for (i64 row = tile_row * kTileRows; row < std::min(rows, (tile_row + 1) * kTileRows); ++row) {
      const auto words = weights.subspan(static_cast<u64>(row * cols), static_cast<u64>(cols));
      const std::array<u8, 8> palette = choose_palette(words);
      std::copy(palette.begin(), palette.end(), palettes.begin() + row * 8);
      std::array<int, 128> index_of;
      index_of.fill(-1);
      for (std::size_t i = 0; i < palette.size(); ++i) index_of[palette[i]] = static_cast<int>(i);
      const i64 below = row % kTileRows / 8;
      for (i64 col = 0; col < cols; ++col) {
        const u16 weight = words[static_cast<u64>(col)];
        const int index = index_of[high_bits(weight)];
        if (index < 0) {
          escapes[static_cast<u64>(row)].push_back(static_cast<u32>(weight) << 16 | static_cast<u32>(col));
          continue;  // the code of +0 is nothing but zeros
        }
        const auto [quarter, step, column] = column_place(col);
        const i64 lane = row % 8 * 4 + quarter;
        u8* tile = out.image.data() + (tile_row * shape.tile_cols() + col / kTileCols) * PaletteTile::kBytes;
        tile[(step / 2 * kWarpLanes + lane) * 16 + step % 2 * 8 + below * 4 + column] = static_cast<u8>(weight);
        u8* const at = tile + PaletteTile::kCodesAt + lane * 16 + step * 4;
        u32 codes;
        std::memcpy(&codes, at, 4);
        codes |= static_cast<u32>(index) << (16 * below + 4 * column) | static_cast<u32>(weight >> 15)
                                                                            << (8 * column + (below ? 3 : 7));
        std::memcpy(at, &codes, 4);
      }
    }
  });
  std::vector<u32> begin(1), all;
  for (const auto& of_row : escapes) {
    all.insert(all.end(), of_row.begin(), of_row.end());
    begin.push_back(static_cast<u32>(all.size()));
  }
  if (all.size() > 0xffffffffu) throw Error(ErrorKind::limit, "a matrix has more than 2^32 - 1 escapes; split it");
  out.escapes = all.size();
  const auto bytes = [](const std::vector<u32>& v) {
    return Bytes(reinterpret_cast<const u8*>(v.data()), v.size() * sizeof(u32));
  };
  out.shape.palettes_at = append_to_image(out, palettes);
  out.shape.escape_begin_at = append_to_image(out, bytes(begin));
  out.shape.escapes_at = append_to_image(out, bytes(all));
  return out;
}

}  // namespace wcodec
