// Mean of a tile's row, or of a tile's column, sent as one byte each: the tile-wise version of taking a bias away.
#pragma once

#include "predictors/predictor.hpp"

namespace wcodec {

enum class MeanAxis : u8 { row, column };

template <MeanAxis kAxis>
struct Mean {
  static constexpr u8 kId = kAxis == MeanAxis::row ? 7 : 8;
  static constexpr std::size_t param_bytes(int rows, int cols, u8) noexcept {
    return static_cast<std::size_t>(kAxis == MeanAxis::row ? rows : cols);
  }
  // Rounded to nearest, halves up.
  static void fit(Tile<const u8> x, const PredictorContext&, u8* params) noexcept {
    const int lines = kAxis == MeanAxis::row ? x.rows : x.cols;
    const int length = kAxis == MeanAxis::row ? x.cols : x.rows;
    for (int i = 0; i < lines; ++i) {
      u32 sum = 0;
      for (int j = 0; j < length; ++j) sum += kAxis == MeanAxis::row ? x(i, j) : x(j, i);
      params[i] = static_cast<u8>((2 * sum + static_cast<u32>(length)) / (2 * static_cast<u32>(length)));
    }
  }
  static void residual(Tile<const u8> x, const PredictorContext& context, u8* out) noexcept {
    for (int r = 0; r < x.rows; ++r, out += x.cols) {
      for (int c = 0; c < x.cols; ++c) {
        out[c] = static_cast<u8>((x(r, c) - context.params[kAxis == MeanAxis::row ? r : c]) & context.mask);
      }
    }
  }
  static void reconstruct(Tile<u8> t, const PredictorContext& context, const u8* residual) noexcept {
    for (int r = 0; r < t.rows; ++r, residual += t.cols) {
      for (int c = 0; c < t.cols; ++c) {
        t(r, c) = static_cast<u8>((residual[c] + context.params[kAxis == MeanAxis::row ? r : c]) & context.mask);
      }
    }
  }
  static constexpr Predictor row() noexcept {
    const bool by_row = kAxis == MeanAxis::row;
    return {.name = by_row ? "row-mean" : "col-mean",
            .id = kId,
            .help = by_row ? "mean of the tile's row, one byte each" : "mean of the tile's column, one byte each",
            .options = {},
            .scope = ParamScope::tile,
            .param_bytes = &param_bytes,
            .fit_tile = &fit,
            .fit_plane = nullptr,
            .residual = &residual,
            .reconstruct = &reconstruct};
  }
};

using RowMean = Mean<MeanAxis::row>;
using ColMean = Mean<MeanAxis::column>;

}  // namespace wcodec
