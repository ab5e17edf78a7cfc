// Inverse of every transform of the registry by eight lanes a block: lane i has row i, then column i, of it.
#pragma once

#include <utility>

#include "transforms/registry.hpp"

namespace wcodec::gpu {

// The steps of a transform, the last first. Which they are is decided at compile time: registers have no indices.
template <class T>
consteval auto inverse_steps() {
  std::array<LiftingStep, 3 * T::kRotations.size()> steps{};
  std::size_t next = steps.size();
  for (const Rotation rotation : T::kRotations) {
    for (const LiftingStep step : lifting_steps(rotation)) steps[--next] = step;
  }
  return steps;
}

template <class T, std::size_t... kStep, std::size_t... kOutput>
__device__ void unlift_steps(i32 (&values)[kBlockSide], std::index_sequence<kStep...>,
                             std::index_sequence<kOutput...>) {
  i32 x[kBlockSide];
  const auto take = [&]<std::size_t k>() {
    constexpr Output kFrom = T::kOutputs[k];
    x[kFrom.slot] = kFrom.sign * values[k];
  };
  const auto undo = [&]<std::size_t s>() {
    constexpr LiftingStep kUndone = inverse_steps<T>()[s];
    x[kUndone.target] += ((1 << (kLiftingBits - 1)) - 1 - kUndone.factor * x[kUndone.source]) >> kLiftingBits;
  };
  (take.template operator()<kOutput>(), ...);
  (undo.template operator()<kStep>(), ...);
  ((values[kOutput] = x[kOutput]), ...);
}

// One pass over eight values. As unlift_columns, which this equals to the bit: x − ⌊(f·y + 2^14) / 2^15⌋ is written as
// x + ⌊(2^14 − 1 − f·y) / 2^15⌋, which is a multiplication and one addition of a shifted value.
template <class T>
__device__ void unlift(i32 (&values)[kBlockSide]) {
  unlift_steps<T>(values, std::make_index_sequence<3 * T::kRotations.size()>{}, std::make_index_sequence<kBlockSide>{});
}

template <class... T>
__device__ void unlift_one_of(TransformList<T...>, u8 id, i32 (&values)[kBlockSide]) {
  (void)((id == T::kId && (unlift<T>(values), true)) || ...);
}

// Bytes of shared memory for a block between its passes: rows of eight 16-bit values, which is what the coefficients'
// norm allows (lifting.hpp: one pass keeps it, 8 · kMaxCoefficient < 2^15), and a gap against bank conflicts.
inline constexpr int kTurnedBytes = 2 * kBlockSize + 16;
static_assert(kBlockSide * kMaxCoefficient + 1024 < 1 << 15);

// `values`: row `row` of the coefficients; then column `row` of the residuals. `turned`: kTurnedBytes at a multiple of
// 16, the block's own. `mask`: the lanes of the warp that make the same call, whole blocks of eight; `id` is a block's.
__device__ inline void inverse_lanes(u8 id, i32 (&values)[kBlockSide], int row, i16* turned, u32 mask) {
  unlift_one_of(Transforms{}, id, values);
  union {
    i16 value[kBlockSide];
    uint4 all;
  } packed;
#pragma unroll
  for (int i = 0; i < kBlockSide; ++i) packed.value[i] = static_cast<i16>(values[i]);
  __syncwarp(mask);
  *reinterpret_cast<uint4*>(turned + kBlockSide * row) = packed.all;
  __syncwarp(mask);
#pragma unroll
  for (int i = 0; i < kBlockSide; ++i) values[i] = turned[kBlockSide * i + row];
  unlift_one_of(Transforms{}, id, values);
}

}  // namespace wcodec::gpu
