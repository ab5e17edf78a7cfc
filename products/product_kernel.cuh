// y = W x for a packed matrix and up to 32 vectors: one kernel for every format of tiles.
//
// A block computes kRowTiles rows of tiles. Its warps share their tiles, each taking every kWarps-th column of tiles,
// and add up their sums at the end, in a fixed order. A lane has kStages tiles of each of its rows under way. Weights
// do not depend on the kernel before on the stream, so the first are asked for before it has ended.
#pragma once

#include <type_traits>

#include "products/tile_readers.cuh"

namespace wcodec {

template <int kRowTiles_, int kBatchTiles_, int kWarps_, int kStages_, int kBlocks_>
struct ProductShape {
  static constexpr int kRowTiles = kRowTiles_;      // rows of tiles of a block
  static constexpr int kBatchTiles = kBatchTiles_;  // eights of vectors
  static constexpr int kWarps = kWarps_, kThreads = kWarps * kWarpLanes;
  static constexpr int kStages = kStages_;
  static constexpr int kBlocks = kBlocks_;  // that a multiprocessor is to hold
  static constexpr int kBlockRows = kRowTiles * kTileRows;
  static constexpr int kSlots = kWarps < 8 ? kWarps : 8;  // sums that shared memory holds at a time
  static_assert(kThreads % kBlockRows == 0, "a thread's outputs are of one row");
};

__device__ inline void multiply_add(float (&sum)[4], const Fragment& a, u32 b0, u32 b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a.words[0]), "r"(a.words[1]), "r"(a.words[2]), "r"(a.words[3]), "r"(b0), "r"(b1));
}

// Eight values of a vector. The last tile may reach beyond the last column, where there is nothing to read: of the
// eight, `left` exist.
template <bool kWhole>
__device__ inline uint4 load_eight(const u16* at, int left) {
  if constexpr (kWhole) {
    return *reinterpret_cast<const uint4*>(at);
  } else {
    u32 pairs[4];
#pragma unroll
    for (int p = 0; p < 4; ++p)
      pairs[p] = (2 * p + 1 < left ? u32{at[2 * p + 1]} << 16 : 0) | (2 * p < left ? at[2 * p] : 0);
    return make_uint4(pairs[0], pairs[1], pairs[2], pairs[3]);
  }
}

// Adds a tile's products with x to the sums of its rows.
template <class Reader, int kBatchTiles>
__device__ inline void multiply_tile(float (&sums)[kBatchTiles][4], const typename Reader::Words& words,
                                     const typename Reader::Rows& rows, const uint4 (&x)[kBatchTiles][2]) {
  constexpr bool kHasGroups = Reader::kScaleUse == ScaleUse::group;
  float part[kBatchTiles][4] = {};
#pragma unroll
  for (int step = 0; step < kTileSteps; ++step) {
    const Fragment a = Reader::fragment(words, step, rows);
#pragma unroll
    for (int n = 0; n < kBatchTiles; ++n) {
      const uint4& v = x[n][step / 2];
      multiply_add(kHasGroups ? part[n] : sums[n], a, step % 2 ? v.z : v.x, step % 2 ? v.w : v.y);
    }
  }
  if constexpr (kHasGroups) {
    const auto upper = static_cast<float>(words.scales.upper), lower = static_cast<float>(words.scales.lower);
#pragma unroll
    for (int n = 0; n < kBatchTiles; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) sums[n][i] += (i < 2 ? upper : lower) * part[n][i];
    }
  }
}

__device__ inline float bf16_value(u32 half) { return __uint_as_float(half << 16); }

// The escapes of a row. They are few and cold, so the first is asked for early.
struct RowEscapes {
  u32 begin = 0, end = 0, first = 0;

  __device__ void find(const ProductTask& task, int row) {
    begin = task.escape_begin[row];
    end = task.escape_begin[row + 1];
    if (begin < end) first = task.escapes[begin];
  }
  __device__ static float product(u32 escape, const u16* x) {
    return bf16_value(escape >> 16) * bf16_value(x[escape & 0xffff]);
  }
  // What they add to the row's product with a vector: they stand as zeros in the tiles.
  __device__ float sum(const ProductTask& task, const u16* x) const {
    if (begin == end) return 0;
    float sum = product(first, x);
#pragma unroll 4
    for (u32 e = begin + 1; e < end; ++e) sum += product(task.escapes[e], x);
    return sum;
  }
};

// Brings a vector into the first-level cache, a sector a lane: warps that read it piece by piece would wait for the
// second level each time.
__device__ inline void touch(const ProductTask& task, const u16* vector, int threads) {
  u32 all = 0;
  for (int c = static_cast<int>(threadIdx.x) * 16; c + 1 < task.cols; c += threads * 16)
    all |= *reinterpret_cast<const u32*>(vector + c);
  if (all == 0xffffffff && task.rows == 0) __trap();  // never, but the loads have to be of use
}

template <class Reader, class Shape>
__global__ void __launch_bounds__(Shape::kThreads, Shape::kBlocks) product_kernel(const ProductTask task) {
  constexpr int kRowTiles = Shape::kRowTiles, kBatchTiles = Shape::kBatchTiles, kStages = Shape::kStages;
  constexpr int kWarps = Shape::kWarps, kColumns = 8 * kBatchTiles;
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;");
#endif
  const int thread = static_cast<int>(threadIdx.x), lane = thread % kWarpLanes;
  const int warp = __shfl_sync(~0u, thread / kWarpLanes, 0);  // tells that it is uniform
  const int whole_tiles = task.cols / kTileCols;

  // Beyond the last row of tiles, that one is worked on again, for nothing.
  int tile_rows[kRowTiles];
  const u8* tiles[kRowTiles];  // the lane's part of the tile in the warp's column
  typename Reader::Rows rows[kRowTiles];
#pragma unroll
  for (int r = 0; r < kRowTiles; ++r) {
    tile_rows[r] = min(static_cast<int>(blockIdx.x) * kRowTiles + r, task.tile_rows - 1);
    tiles[r] = task.tiles + (static_cast<i64>(tile_rows[r]) * task.tile_cols + warp) * Reader::kBytes + lane * 16;
    rows[r] = Reader::rows(task, tile_rows[r], lane);
  }
  typename Reader::Words words[kStages][kRowTiles];
  const auto load = [&](typename Reader::Words(&stage)[kRowTiles], int col, int columns_on) {
#pragma unroll
    for (int r = 0; r < kRowTiles; ++r)
      stage[r] = Reader::load(task, tiles[r] + columns_on * Reader::kBytes, tile_rows[r], col + columns_on, lane);
  };
  int col = warp;
#pragma unroll
  for (int s = 0; s < kStages; ++s) {
    if (col + s * kWarps < whole_tiles) load(words[s], col, s * kWarps);
  }
  // A thread's outputs are vectors of one row.
  const int own_row = static_cast<int>(blockIdx.x) * Shape::kBlockRows + thread % Shape::kBlockRows;
  const int first_vector = thread / Shape::kBlockRows;
  RowEscapes escapes;
  if (Reader::kHasEscapes && own_row < task.rows && first_vector < task.batch) escapes.find(task, own_row);

#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
  if (task.batch == 1) touch(task, task.x, Shape::kThreads);
  // Lanes of vectors that do not exist repeat the last one; their sums go nowhere.
  const u16* vectors[kBatchTiles];
#pragma unroll
  for (int n = 0; n < kBatchTiles; ++n)
    vectors[n] = task.x + min(8 * n + lane / 4, task.batch - 1) * task.x_stride + warp * kTileCols + lane % 4 * 8;
  float sums[kRowTiles][kBatchTiles][4] = {};
  const auto multiply = [&]<bool kWhole>(const auto& stage, int columns_on, std::bool_constant<kWhole>) {
    uint4 x[kBatchTiles][2];
#pragma unroll
    for (int n = 0; n < kBatchTiles; ++n) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int on = columns_on * kTileCols + half * kTileCols / 2;
        x[n][half] = load_eight<kWhole>(vectors[n] + on, task.cols - col * kTileCols - lane % 4 * 8 - on);
      }
    }
#pragma unroll
    for (int r = 0; r < kRowTiles; ++r) multiply_tile<Reader>(sums[r], stage[r], rows[r], x);
  };
  while (col < whole_tiles) {
#pragma unroll
    for (int s = 0; s < kStages; ++s) {
      if (s > 0 && col + s * kWarps >= whole_tiles) break;
      multiply(words[s], s * kWarps, std::true_type{});
      if (col + (kStages + s) * kWarps < whole_tiles) load(words[s], col, (kStages + s) * kWarps);
    }
    constexpr int kColumnsOn = kStages * kWarps;
    col += kColumnsOn;
#pragma unroll
    for (int r = 0; r < kRowTiles; ++r) tiles[r] += kColumnsOn * Reader::kBytes;
#pragma unroll
    for (int n = 0; n < kBatchTiles; ++n) vectors[n] += kColumnsOn * kTileCols;
  }
  if (whole_tiles < task.tile_cols && whole_tiles % kWarps == warp) {
    const int columns_on = whole_tiles - col;  // back, if anything
    load(words[0], col, columns_on);
    multiply(words[0], columns_on, std::false_type{});
  }

  float sum = escapes.sum(task, task.x + first_vector * task.x_stride);
  // Warps in pairs first, so that shared memory holds half of the sums.
  constexpr int kSlots = Shape::kSlots;
  static_assert(kWarps == kSlots || kWarps <= 2 * kSlots, "a slot serves two warps at most");
  __shared__ float partial[kSlots][Shape::kBlockRows][kColumns + 1];
  const auto each_sum = [&](const auto& visit) {
#pragma unroll
    for (int r = 0; r < kRowTiles; ++r) {
#pragma unroll
      for (int n = 0; n < kBatchTiles; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i)
          visit(sums[r][n][i],
                partial[warp % kSlots][r * kTileRows + lane / 4 + i / 2 * 8][n * 8 + lane % 4 * 2 + i % 2]);
      }
    }
  };
  if constexpr (kWarps > kSlots) {
    if (warp >= kSlots) each_sum([](float mine, float& place) { place = mine; });
    __syncthreads();
    if (warp < kWarps - kSlots)
      each_sum([](float mine, float& place) { place += mine; });
    else if (warp < kSlots)
      each_sum([](float mine, float& place) { place = mine; });
  } else {
    each_sum([](float mine, float& place) { place = mine; });
  }
  __syncthreads();
  if (own_row >= task.rows) return;
  for (int vector = first_vector; vector < task.batch; vector += Shape::kThreads / Shape::kBlockRows) {
    if (vector != first_vector) sum = escapes.sum(task, task.x + vector * task.x_stride);
#pragma unroll
    for (int w = 0; w < kSlots; ++w) sum += partial[w][thread % Shape::kBlockRows][vector];
    if constexpr (Reader::kScaleUse == ScaleUse::row) sum *= static_cast<const float*>(task.scales)[own_row];
    const i64 at = vector * task.y_stride + own_row;
    if (task.y_is_float) {
      static_cast<float*>(task.y)[at] = sum;
    } else {
      static_cast<__nv_bfloat16*>(task.y)[at] = __float2bfloat16_rn(sum);
    }
  }
}

}  // namespace wcodec
