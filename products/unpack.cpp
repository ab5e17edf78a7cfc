#include <cstring>

#include "core/error.hpp"
#include "products/integer_tile.hpp"
#include "products/pack_image.hpp"
#include "products/palette_tile.hpp"

namespace wcodec {
namespace {

u32 word_at(const u8* at) noexcept {
  u32 word;
  std::memcpy(&word, at, 4);
  return word;
}

// The fragment that lane `lane` multiplies in step `step` of a tile, decoded as the kernels do it.
Fragment fragment_of(const PackedMatrix& matrix, i64 tile_row, i64 tile_col, int lane, int step) {
  const PackedShape& shape = matrix.shape;
  const i64 tile_index = tile_row * shape.tile_cols() + tile_col;
  const i64 pair_at = (step / 2 * kWarpLanes + lane) * 16 + step % 2 * 8;  // where formats of a byte a weight have it
  switch (shape.format) {
    case PackedFormat::bf16: {
      const u8* at = matrix.image.data() + tile_index * 2 * kTileWeights + (step * kWarpLanes + lane) * 16;
      return {{word_at(at), word_at(at + 4), word_at(at + 8), word_at(at + 12)}};
    }
    case PackedFormat::bf16_palette: {
      const u8* tile = matrix.image.data() + tile_index * PaletteTile::kBytes;
      const u8* upper = matrix.image.data() + shape.palettes_at + (tile_row * kTileRows + lane / 4) * 8;
      const u8* lower = upper + 8 * 8;
      return PaletteTile::decode(word_at(tile + pair_at), word_at(tile + pair_at + 4),
                                 word_at(tile + PaletteTile::kCodesAt + lane * 16 + step * 4),
                                 {word_at(upper), word_at(upper + 4)}, {word_at(lower), word_at(lower + 4)});
    }
    case PackedFormat::int8: {
      const u8* at = matrix.image.data() + tile_index * Int8Tile::kBytes + pair_at;
      return Int8Tile::decode(word_at(at), word_at(at + 4), kPair128);
    }
    case PackedFormat::int4: {
      // Without a zero point what is stored is seen: codes of an asymmetric quantizer, or codes and 8.
      const u8* at = matrix.image.data() + tile_index * Int4Tile::kBytes + lane * 16 + step * 4;
      const u32 zero = Int4Tile::zero_pair(shape.zeros_at == 0 ? Int4Tile::kSymmetricZero : 0);
      return Int4Tile::decode(word_at(at), zero, zero, kPair128);
    }
  }
  throw Error(ErrorKind::internal, "a packed matrix of no format");
}

}  // namespace

std::vector<u8> unpack_words(const PackedMatrix& matrix) {
  const PackedShape& shape = matrix.shape;
  const bool is_float = shape.format == PackedFormat::bf16 || shape.format == PackedFormat::bf16_palette;
  const i64 width = is_float ? 2 : 1;
  std::vector<u8> words(static_cast<u64>(shape.rows * shape.cols * width));
  for_each_tile_row(shape, [&](i64 tile_row) {
    for (i64 tile_col = 0; tile_col < shape.tile_cols(); ++tile_col) {
      for (int lane = 0; lane < kWarpLanes; ++lane) {
        for (int step = 0; step < kTileSteps; ++step) {
          const Fragment fragment = fragment_of(matrix, tile_row, tile_col, lane, step);
          for (int i = 0; i < 8; ++i) {
            const TilePlace place = place_in_tile(lane, step, i / 2, i % 2);
            const i64 row = tile_row * kTileRows + place.row, col = tile_col * kTileCols + place.col;
            if (row >= shape.rows || col >= shape.cols) continue;
            const u32 half = fragment.words[i / 2] >> 16 * (i % 2) & 0xffff;
            u8* const out = words.data() + (row * shape.cols + col) * width;
            if (is_float) {
              const auto word = static_cast<u16>(half);
              std::memcpy(out, &word, 2);
            } else {
              *out = static_cast<u8>(static_cast<i8>(std::bit_cast<float>(half << 16)));
            }
          }
        }
      }
    }
  });
  if (shape.format == PackedFormat::bf16_palette) {
    for (i64 row = 0; row < shape.rows; ++row) {
      const u32 begin = word_at(matrix.image.data() + shape.escape_begin_at + row * 4);
      const u32 end = word_at(matrix.image.data() + shape.escape_begin_at + (row + 1) * 4);
      for (u32 e = begin; e < end; ++e) {
        const u32 escape = word_at(matrix.image.data() + shape.escapes_at + i64{e} * 4);
        const auto word = static_cast<u16>(escape >> 16);
        std::memcpy(words.data() + (row * shape.cols + (escape & 0xffff)) * 2, &word, 2);
      }
    }
  }
  return words;
}

}  // namespace wcodec
