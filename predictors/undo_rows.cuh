// Inverse of predictors on tiles of up to 16 rows of 16 symbols that are held in registers: lane l of a group of 16 has
// row l. The same results as undo_prediction.cuh, several times as fast; predictors with parameters of the plane are
// left to that.
#pragma once

#include "predictors/lane_group.cuh"
#include "predictors/registry.hpp"

namespace wcodec::gpu {

inline constexpr int kRowSymbols = 16, kRowWords = 4;

struct Row {
  u32 four[kRowWords];  // symbols, the first lowest
};

__device__ inline u32 four_times(u32 byte) { return byte * 0x01010101u; }
// Four sums modulo 256.
__device__ inline u32 add_bytes(u32 a, u32 b) { return ((a & 0x7f7f7f7f) + (b & 0x7f7f7f7f)) ^ ((a ^ b) & 0x80808080); }

// Pairs of symbols of a word as numbers of 16 bits, so that sums have room: symbols 0 and 2, symbols 1 and 3.
__device__ inline u32 even_symbols(u32 four) { return four & 0x00ff00ff; }
__device__ inline u32 odd_symbols(u32 four) { return four >> 8 & 0x00ff00ff; }
// Their low bytes.
__device__ inline u32 joined(u32 even, u32 odd) { return __byte_perm(even, odd, 0x6240); }

// Every symbol becomes the sum of those up to it and of `before`, modulo 256.
__device__ inline void sum_across(Row& row, u32 before) {
  u32 carry = before | before << 16;
#pragma unroll
  for (u32& four : row.four) {
    const u32 odd = odd_symbols(four), pairs = even_symbols(four) + odd;
    const u32 odd_sums = pairs + (pairs << 16) + carry;
    four = joined(odd_sums - odd, odd_sums);
    carry = __byte_perm(odd_sums, 0, 0x3232);
  }
}

// Every symbol becomes the sum of those of its column down to it, modulo 256.
__device__ inline void sum_down(Row& row, const LaneGroup& group) {
  u32 even[kRowWords], odd[kRowWords];
#pragma unroll
  for (int i = 0; i < kRowWords; ++i) even[i] = even_symbols(row.four[i]), odd[i] = odd_symbols(row.four[i]);
#pragma unroll
  for (int distance = 1; distance < kRowSymbols; distance *= 2) {
    const bool adds = group.lane >= distance;
#pragma unroll
    for (int i = 0; i < kRowWords; ++i) {
      const u32 even_above = __shfl_up_sync(group.mask, even[i], distance, kRowSymbols);
      const u32 odd_above = __shfl_up_sync(group.mask, odd[i], distance, kRowSymbols);
      if (adds) even[i] += even_above, odd[i] += odd_above;
    }
  }
#pragma unroll
  for (int i = 0; i < kRowWords; ++i) row.four[i] = joined(even[i], odd[i]);
}

__device__ inline void cut_to(Row& row, u8 mask) {
#pragma unroll
  for (u32& four : row.four) four &= four_times(mask);
}

// Symbol k becomes what symbol k − distance (modulo 16) was.
__device__ inline Row rotated(const Row& row, u32 distance) {
  Row once, twice, out;
#pragma unroll
  for (int i = 0; i < kRowWords; ++i) once.four[i] = (distance & 4) != 0 ? row.four[(i + 3) % 4] : row.four[i];
#pragma unroll
  for (int i = 0; i < kRowWords; ++i) twice.four[i] = (distance & 8) != 0 ? once.four[(i + 2) % 4] : once.four[i];
#pragma unroll
  for (int i = 0; i < kRowWords; ++i)
    out.four[i] = __funnelshift_l(twice.four[(i + 3) % 4], twice.four[i], 8 * (distance & 3));
  return out;
}

// Rules by a wavefront: in step s lane l is at column s − l. Rows are rotated so that this is position s mod 16 of
// each.
template <class P>
struct UndoRows {
  static_assert(Rule<P>, "a predictor that is no plain rule needs its own UndoRows");

  __device__ static void run(Row& row, const PredictorContext& context, const LaneGroup& group) {
    const Row residuals = rotated(row, static_cast<u32>(group.lane));
    const bool is_first = group.lane == 0;
    Row out = residuals;
    u32 value = context.zero, above = context.zero;
#pragma unroll
    for (int s = 0; s < 2 * kRowSymbols - 1; ++s) {
      constexpr u32 kInsert[] = {0x3214, 0x3240, 0x3410, 0x4210};
      const int k = s % kRowSymbols;
      const u32 residual = residuals.four[k / 4] >> 8 * (k % 4) & 0xff;
      const u32 above_left = above;
      above = group.from_before(value);  // of the first row: the symbol to the left
      const bool begins = s < kRowSymbols && group.lane >= s;
      const u32 left = begins ? above : value, corner = is_first ? value : begins ? above : above_left;
      u32 guess = P::predict(static_cast<u8>(left), static_cast<u8>(above), static_cast<u8>(corner));
      if (s == 0) guess = is_first ? context.zero : guess;
      value = (residual + guess) & context.mask;
      if (s < kRowSymbols || group.lane > s - kRowSymbols)
        out.four[k / 4] = __byte_perm(out.four[k / 4], value, kInsert[k % 4]);
    }
    row = rotated(out, static_cast<u32>(kRowSymbols - group.lane) % kRowSymbols);
  }
};

template <>
struct UndoRows<None> {
  __device__ static void run(Row& row, const PredictorContext& context, const LaneGroup&) {
#pragma unroll
    for (u32& four : row.four) four = add_bytes(four, four_times(context.zero));
    cut_to(row, context.mask);
  }
};

template <>
struct UndoRows<Left> {
  __device__ static void run(Row& row, const PredictorContext& context, const LaneGroup& group) {
    const u32 first = row.four[0] & 0xff;
    sum_across(row, (group.sum_up_to(first) - first + context.zero) & 0xff);
    cut_to(row, context.mask);
  }
};

template <>
struct UndoRows<Top> {
  __device__ static void run(Row& row, const PredictorContext& context, const LaneGroup& group) {
    if (group.lane == 0) sum_across(row, context.zero);
    sum_down(row, group);
    cut_to(row, context.mask);
  }
};

template <>
struct UndoRows<Planar> {
  __device__ static void run(Row& row, const PredictorContext& context, const LaneGroup& group) {
    sum_across(row, group.lane == 0 ? context.zero : 0);
    sum_down(row, group);
    cut_to(row, context.mask);
  }
};

template <MeanAxis kAxis>
struct UndoRows<Mean<kAxis>> {
  // There are as many parameters as the tile has rows (of which the last lanes may have none) or columns.
  __device__ static void run(Row& row, const PredictorContext& context, const LaneGroup& group, bool has_row) {
    const u32 own = kAxis == MeanAxis::row && has_row ? context.params[group.lane] : 0;
#pragma unroll
    for (int i = 0; i < kRowWords; ++i) {
      u32 means = four_times(own);
      if constexpr (kAxis == MeanAxis::column) {
        means = 0;
        for (int k = 3; k >= 0; --k) means = means << 8 | context.params[4 * i + k];
      }
      row.four[i] = add_bytes(row.four[i], means);
    }
    cut_to(row, context.mask);
  }
};

// The others are never asked for.
template <>
struct UndoRows<LeastSquares> {
  __device__ static void run(Row&, const PredictorContext&, const LaneGroup&) {}
};

template <class P>
__device__ void undo_rows_by(Row& row, const PredictorContext& context, const LaneGroup& group, bool has_row) {
  if constexpr (requires { UndoRows<P>::run(row, context, group, has_row); }) {
    UndoRows<P>::run(row, context, group, has_row);
  } else {
    UndoRows<P>::run(row, context, group);
  }
}

template <class... P>
__device__ void undo_rows_by_one_of(TypeList<P...>, u8 id, Row& row, const PredictorContext& context,
                                    const LaneGroup& group, bool has_row) {
  (void)((id == P::kId && (undo_rows_by<P>(row, context, group, has_row), true)) || ...);
}

// The switch over all predictors. All lanes of the group call it with the same id; `has_row`: whether the tile has this
// lane's row, whose symbols are 0 otherwise.
__device__ inline void undo_rows(u8 id, Row& row, const PredictorContext& context, const LaneGroup& group,
                                 bool has_row) {
  undo_rows_by_one_of(Predictors{}, id, row, context, group, has_row);
}

}  // namespace wcodec::gpu
