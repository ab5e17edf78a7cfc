// Least squares: a weighted sum of 2 to 8 causal neighbours, with one set of weights for the whole plane, fitted to it.
// The upper bound of what any fixed linear predictor of these neighbours can do. Weights are sent as signed Q3.12 fixed
// point.
#pragma once

#include "predictors/predictor.hpp"

namespace wcodec {

struct LeastSquares {
  static constexpr u8 kId = 9;
  static constexpr int kMaxNeighbours = 8;
  static constexpr int kFractionBits = 12;

  static constexpr std::size_t param_bytes(int, int, u8 option) noexcept { return 2u * option; }
  // Solves the normal equations, accumulated exactly in integers, with Eigen (LDLᵀ). O(weights · neighbours²).
  static void fit(const u8* plane, const TileGrid& grid, const PredictorContext& context, u8* params);
  static void residual(Tile<const u8> x, const PredictorContext& context, u8* out) noexcept;
  static void reconstruct(Tile<u8> t, const PredictorContext& context, const u8* residual) noexcept;

  static constexpr OptionInfo kOptions[] = {
      {"neighbours", "3", "2...8", "how many of L, T, TL, TR, LL, TT, TLL, TTL are used, in this order"}};
  static constexpr Predictor row() noexcept {
    return {.name = "ls",
            .id = kId,
            .help = "least-squares weights of the neighbours, one set a plane",
            .options = kOptions,
            .default_option = 3,
            .option_low = 2,
            .option_high = kMaxNeighbours,
            .scope = ParamScope::plane,
            .param_bytes = &param_bytes,
            .fit_tile = nullptr,
            .fit_plane = &fit,
            .residual = &residual,
            .reconstruct = &reconstruct};
  }
};

// Neighbours of (r, c), not the corner, counted from zero. One that lies outside the tile is replaced by L, or T on the
// first column.
template <class W>
WC_HD constexpr void gather_neighbours(const Tile<W>& t, int r, int c, int count, int zero, int* values) noexcept {
  struct Offset {
    int up, left;
  };
  constexpr Offset kNeighbours[LeastSquares::kMaxNeighbours] = {{0, 1}, {1, 0}, {1, 1}, {1, -1},
                                                                {0, 2}, {2, 0}, {1, 2}, {2, 1}};
  const int fallback = c > 0 ? t(r, c - 1) : t(r - 1, c);
  for (int k = 0; k < count; ++k) {
    const int rr = r - kNeighbours[k].up, cc = c - kNeighbours[k].left;
    values[k] = (rr >= 0 && cc >= 0 && cc < t.cols ? t(rr, cc) : fallback) - zero;
  }
}

// The weights of a plane, shared by host and device.
struct LeastSquaresWeights {
  int count;
  int fixed[LeastSquares::kMaxNeighbours] = {};

  WC_HD explicit LeastSquaresWeights(const PredictorContext& context) noexcept : count(context.option) {
    for (int k = 0; k < count; ++k) fixed[k] = static_cast<i16>(context.params[2 * k] | context.params[2 * k + 1] << 8);
  }
  template <class W>
  WC_HD u8 guess(const Tile<W>& t, int r, int c, const PredictorContext& context) const noexcept {
    if (r == 0 && c == 0) return context.zero;
    int values[LeastSquares::kMaxNeighbours] = {};
    gather_neighbours(t, r, c, count, context.zero, values);
    // |sum| ≤ 2^11 + 8 · 2^15 · 2^8, whatever the weights.
    int sum = 1 << (LeastSquares::kFractionBits - 1);
    for (int k = 0; k < count; ++k) sum += fixed[k] * values[k];
    const int guess = context.zero + (sum >> LeastSquares::kFractionBits), high = context.mask;
    return static_cast<u8>(guess < 0 ? 0 : guess > high ? high : guess);
  }
};

}  // namespace wcodec
