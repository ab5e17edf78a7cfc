// How a lane reads its part of a tile of each format, and turns it into fragments. A reader has
//   kBytes                    of a tile
//   kHasEscapes                whether its zeros may stand for escapes
//   kScaleUse                 where scales are multiplied in; of groups, Words has `scales`
//   Words                     the registers of a lane's part as stored, loads under way
//   Rows                      what a lane knows of its two rows throughout
//   rows(task, tile_row, lane), load(task, at, tile_row, tile_col, lane), fragment(words, step, rows)
// `at` is the lane's first 16 bytes in the tile; `step` is a constant once loops are unrolled. Tile rows and columns
// are within the matrix.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "products/integer_tile.hpp"
#include "products/palette_tile.hpp"
#include "products/product_task.hpp"

namespace wcodec {

// Weights are read once: they take no place in the first-level cache, where x is to stay. The load is relaxed, not
// weak, so that the compiler leaves it where it is: ahead of the wait for the kernel before, and of what is multiplied.
__device__ inline uint4 load_streaming(const u8* at) {
  uint4 v;
  asm volatile("ld.relaxed.gpu.global.L1::no_allocate.L2::256B.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(at));
  return v;
}

__device__ inline u32 word_of(const uint4& v, int i) { return i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w; }

// Where scales are multiplied in.
enum class ScaleUse : u8 {
  none,
  row,    // to the sum of a row, at the end
  group,  // to the sum of a tile
};

// Place of the scale, and zero point, of the lane's upper row; that of the lower is 8 behind.
__device__ inline i64 scale_place(const ProductTask& task, int tile_row, int tile_col, int lane) {
  return (static_cast<i64>(tile_row) * task.groups + (tile_col >> task.group_shift)) * kTileRows + lane / 4;
}

struct PlainReader {
  static constexpr int kBytes = 2 * kTileWeights;
  static constexpr bool kHasEscapes = false;
  static constexpr ScaleUse kScaleUse = ScaleUse::none;
  struct Words {
    uint4 steps[kTileSteps];
  };
  struct Rows {};
  static __device__ Rows rows(const ProductTask&, int, int) { return {}; }
  static __device__ Words load(const ProductTask&, const u8* at, int, int, int) {
    Words words;
#pragma unroll
    for (int s = 0; s < kTileSteps; ++s) words.steps[s] = load_streaming(at + s * kWarpLanes * 16);
    return words;
  }
  static __device__ Fragment fragment(const Words& words, int step, const Rows&) {
    return {{words.steps[step].x, words.steps[step].y, words.steps[step].z, words.steps[step].w}};
  }
};

struct PaletteReader {
  static constexpr int kBytes = PaletteTile::kBytes;
  static constexpr bool kHasEscapes = true;
  static constexpr ScaleUse kScaleUse = ScaleUse::none;
  struct Words {
    uint4 raw[2], codes;
  };
  struct Rows {
    Palette upper, lower;
  };
  static __device__ Rows rows(const ProductTask& task, int tile_row, int lane) {
    const uint2* const palettes = reinterpret_cast<const uint2*>(task.palettes) + tile_row * kTileRows + lane / 4;
    const uint2 upper = palettes[0], lower = palettes[8];
    return {{upper.x, upper.y}, {lower.x, lower.y}};
  }
  static __device__ Words load(const ProductTask&, const u8* at, int, int, int) {
    return {{load_streaming(at), load_streaming(at + kWarpLanes * 16)}, load_streaming(at + PaletteTile::kCodesAt)};
  }
  static __device__ Fragment fragment(const Words& words, int step, const Rows& rows) {
    const uint4& raw = words.raw[step / 2];
    return PaletteTile::decode(word_of(raw, step % 2 * 2), word_of(raw, step % 2 * 2 + 1), word_of(words.codes, step),
                               rows.upper, rows.lower);
  }
};

// Scales of a lane's two rows as stored, so that nothing waits for them before they are needed.
struct RowScales {
  static constexpr ScaleUse kUse = ScaleUse::row;
  struct Pair {};
  static __device__ Pair load(const ProductTask&, int, int, int) { return {}; }
};
template <class Stored>  // float, or __half
struct GroupScales {
  static constexpr ScaleUse kUse = ScaleUse::group;
  struct Pair {
    Stored upper, lower;
  };
  static __device__ Pair load(const ProductTask& task, int tile_row, int tile_col, int lane) {
    const Stored* const at = static_cast<const Stored*>(task.scales) + scale_place(task, tile_row, tile_col, lane);
    return {at[0], at[8]};
  }
};

struct Int8Rows {
  u32 pair128;
};
template <class Scales>
struct Int8Reader {
  static constexpr int kBytes = Int8Tile::kBytes;
  static constexpr bool kHasEscapes = false;
  static constexpr ScaleUse kScaleUse = Scales::kUse;
  struct Words {
    uint4 pairs[2];
    typename Scales::Pair scales;
  };
  using Rows = Int8Rows;
  static __device__ Rows rows(const ProductTask& task, int, int) { return {task.pair128}; }
  static __device__ Words load(const ProductTask& task, const u8* at, int tile_row, int tile_col, int lane) {
    return {{load_streaming(at), load_streaming(at + kWarpLanes * 16)}, Scales::load(task, tile_row, tile_col, lane)};
  }
  static __device__ Fragment fragment(const Words& words, int step, const Rows& rows) {
    const uint4& pair = words.pairs[step / 2];
    return Int8Tile::decode(word_of(pair, step % 2 * 2), word_of(pair, step % 2 * 2 + 1), rows.pair128);
  }
};

template <class Scales, bool kSymmetric>
struct Int4Reader {
  static constexpr int kBytes = Int4Tile::kBytes;
  static constexpr bool kHasEscapes = false;
  static constexpr ScaleUse kScaleUse = Scales::kUse;
  struct Words {
    uint4 steps;
    typename Scales::Pair scales;
    u32 zero_upper, zero_lower;
  };
  using Rows = Int8Rows;
  static __device__ Rows rows(const ProductTask& task, int, int) { return {task.pair128}; }
  static __device__ Words load(const ProductTask& task, const u8* at, int tile_row, int tile_col, int lane) {
    Words words{load_streaming(at), Scales::load(task, tile_row, tile_col, lane), Int4Tile::kSymmetricZero,
                Int4Tile::kSymmetricZero};
    if constexpr (!kSymmetric) {
      const u8* const zeros = task.zeros + scale_place(task, tile_row, tile_col, lane);
      words.zero_upper = zeros[0];
      words.zero_lower = zeros[8];
    }
    return words;
  }
  static __device__ Fragment fragment(const Words& words, int step, const Rows& rows) {
    return Int4Tile::decode(word_of(words.steps, step), Int4Tile::zero_pair(words.zero_upper),
                            Int4Tile::zero_pair(words.zero_lower), rows.pair128);
  }
};

}  // namespace wcodec
