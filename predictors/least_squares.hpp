// Least squares: a weighted sum of 2 to 8 causal neighbours, with one set of weights for the whole plane, fitted to it.
// The upper bound of what any fixed linear predictor of these neighbours can do. Weights are sent as signed Q3.12 fixed
// point.
#pragma once

#include "predictors/predictor.hpp"

namespace wcodec {

struct LeastSquares {
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
            .id = 9,
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

}  // namespace wcodec
