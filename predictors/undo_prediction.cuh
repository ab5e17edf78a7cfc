// Inverse of every predictor of the registry by a group of lanes: residuals of a tile become its symbols, to the bit as
// Predictor::reconstruct has it (predictor.hpp has the rule for edges).
//
// What adds up residuals alone (left, top, planar) is prefix sums, modulo 2^bits, one lane a row or a column. Any other
// rule goes in a wavefront: lane l has row l and is one column behind the lane above, so that all of an anti-diagonal
// is computed at once; the symbol above comes from the neighbouring lane. Tiles of more rows than lanes go in bands.
//
// A predictor that is a plain Rule is undone by the wavefront without a line here; others specialise Undo.
#pragma once

#include "predictors/lane_group.cuh"
#include "predictors/registry.hpp"

namespace wcodec::gpu {

// `residuals` and `out` may be the same memory. All lanes of the group call it, with the same arguments; what they have
// written before is visible (LaneGroup::sync), and after it the tile is visible to all of them.
struct UndoInput {
  Tile<const u8> residuals;
  Tile<u8> out;
  const PredictorContext& context;
  const LaneGroup& group;
};

template <class P>
struct Undo {
  static_assert(Rule<P>, "a predictor that is no plain rule needs its own Undo");

  __device__ static void run(const UndoInput& in) {
    const auto& [residuals, out, context, group] = in;
    const u32 mask = context.mask;
    for (int band = 0; band < out.rows; band += group.size) {
      const int rows = min(group.size, out.rows - band), r = band + group.lane;
      const bool has_row = group.lane < rows, follows_band = group.lane == 0 && band > 0;
      u32 value = 0, above = 0, next = has_row ? residuals(r, 0) : 0;
      for (int step = 0; step < out.cols + rows - 1; ++step) {
        const int c = step - group.lane;
        const u32 above_left = above;
        above = group.from_before(value);
        if (has_row && c >= 0 && c < out.cols) {
          if (follows_band) above = out(r - 1, c);
          const u32 residual = next;
          if (c + 1 < out.cols) next = residuals(r, c + 1);
          const auto left = static_cast<u8>(r > 0 && c == 0 ? above : value);
          const auto top = static_cast<u8>(r > 0 ? above : value);
          const auto corner = static_cast<u8>(r == 0 ? value : c == 0 ? above : above_left);
          const u32 guess = r + c == 0 ? context.zero : P::predict(left, top, corner);
          value = (residual + guess) & mask;
          out(r, c) = static_cast<u8>(value);
        }
      }
      group.sync();
    }
  }
};

// Lanes go along the columns and down the rows.
template <class Body>
__device__ void for_each_symbol(const UndoInput& in, const Body& guess) {
  for (int r = 0; r < in.out.rows; ++r) {
    for (int c = in.group.lane; c < in.out.cols; c += in.group.size)
      in.out(r, c) = static_cast<u8>((in.residuals(r, c) + guess(r, c)) & in.context.mask);
  }
  in.group.sync();
}

template <>
struct Undo<None> {
  __device__ static void run(const UndoInput& in) {
    for_each_symbol(in, [&](int, int) -> u32 { return in.context.zero; });
  }
};

template <MeanAxis kAxis>
struct Undo<Mean<kAxis>> {
  __device__ static void run(const UndoInput& in) {
    for_each_symbol(in, [&](int r, int c) -> u32 { return in.context.params[kAxis == MeanAxis::row ? r : c]; });
  }
};

// The first column from the top, then every row from the left.
template <>
struct Undo<Left> {
  __device__ static void run(const UndoInput& in) {
    const auto& [residuals, out, context, group] = in;
    u32 above = context.zero;
    for (int band = 0; band < out.rows; band += group.size) {
      const int r = band + group.lane;
      const bool has_row = r < out.rows;
      u32 sum = above + group.sum_up_to(has_row ? residuals(r, 0) : 0);
      above = group.from(sum, group.size - 1);
      if (!has_row) continue;
      out(r, 0) = static_cast<u8>(sum & context.mask);
      for (int c = 1; c < out.cols; ++c) {
        sum += residuals(r, c);
        out(r, c) = static_cast<u8>(sum & context.mask);
      }
    }
    group.sync();
  }
};

// The first row from the left, then every column from the top.
template <>
struct Undo<Top> {
  __device__ static void run(const UndoInput& in) {
    const auto& [residuals, out, context, group] = in;
    u32 left = context.zero;
    for (int first = 0; first < out.cols; first += group.size) {
      const int c = first + group.lane;
      const bool has_column = c < out.cols;
      u32 sum = left + group.sum_up_to(has_column ? residuals(0, c) : 0);
      left = group.from(sum, group.size - 1);
      if (!has_column) continue;
      out(0, c) = static_cast<u8>(sum & context.mask);
      for (int r = 1; r < out.rows; ++r) {
        sum += residuals(r, c);
        out(r, c) = static_cast<u8>(sum & context.mask);
      }
    }
    group.sync();
  }
};

// A symbol is the sum of all residuals above and to the left of it: sums along the rows, then down the columns.
template <>
struct Undo<Planar> {
  __device__ static void run(const UndoInput& in) {
    const auto& [residuals, out, context, group] = in;
    for (int r = group.lane; r < out.rows; r += group.size) {
      u32 sum = 0;
      for (int c = 0; c < out.cols; ++c) out(r, c) = static_cast<u8>(sum += residuals(r, c));
    }
    group.sync();
    for (int c = group.lane; c < out.cols; c += group.size) {
      u32 sum = context.zero;
      for (int r = 0; r < out.rows; ++r) out(r, c) = static_cast<u8>((sum += out(r, c)) & context.mask);
    }
    group.sync();
  }
};

// A wavefront two columns behind the lane above, as the symbol above right has to be known.
template <>
struct Undo<LeastSquares> {
  __device__ static void run(const UndoInput& in) {
    const auto& [residuals, out, context, group] = in;
    const LeastSquaresWeights weights(context);
    for (int band = 0; band < out.rows; band += group.size) {
      const int rows = min(group.size, out.rows - band), r = band + group.lane;
      for (int step = 0; step < out.cols + 2 * (rows - 1); ++step) {
        const int c = step - 2 * group.lane;
        if (group.lane < rows && c >= 0 && c < out.cols)
          out(r, c) = static_cast<u8>((residuals(r, c) + weights.guess(out, r, c, context)) & context.mask);
        group.sync();
      }
    }
  }
};

template <class... P>
__device__ void undo_one_of(TypeList<P...>, u8 id, const UndoInput& in) {
  (void)((id == P::kId && (Undo<P>::run(in), true)) || ...);
}

// The switch over all predictors; `id` is one of theirs.
__device__ inline void undo_prediction(u8 id, const UndoInput& in) { undo_one_of(Predictors{}, id, in); }

}  // namespace wcodec::gpu
