// No prediction: the symbols themselves, counted from the word of zero.
#pragma once

#include "predictors/predictor.hpp"

namespace wcodec {

struct None {
  static constexpr u8 kId = 0;
  static void residual(Tile<const u8> x, const PredictorContext& context, u8* out) noexcept {
    for (int r = 0; r < x.rows; ++r, out += x.cols) {
      const u8* const row = x.at + r * x.stride;
      for (int c = 0; c < x.cols; ++c) out[c] = static_cast<u8>((row[c] - context.zero) & context.mask);
    }
  }
  static void reconstruct(Tile<u8> t, const PredictorContext& context, const u8* residual) noexcept {
    for (int r = 0; r < t.rows; ++r, residual += t.cols) {
      u8* const row = t.at + r * t.stride;
      for (int c = 0; c < t.cols; ++c) row[c] = static_cast<u8>((residual[c] + context.zero) & context.mask);
    }
  }
  static constexpr Predictor row() noexcept {
    return {.name = "none",
            .id = kId,
            .help = "no prediction",
            .options = {},
            .param_bytes = [](int, int, u8) noexcept { return std::size_t{0}; },
            .fit_tile = nullptr,
            .fit_plane = nullptr,
            .residual = &residual,
            .reconstruct = &reconstruct};
  }
};

}  // namespace wcodec
