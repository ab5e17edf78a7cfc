// Histograms and neighbour correlations of a tensor's symbols, for plots.
#pragma once

#include "codec/tensor_codec.hpp"
#include "experiments/cell.hpp"

namespace wcodec {

// Histograms of each predictor's residuals over all tiles of `predictions`; values are signed unless an unsigned plane
// is not predicted.
void add_histograms(PlanePredictions& predictions, std::span<const PredictorChoice> predictors, Diagnostics& out);
// Pearson correlation with the symbol `drow` rows up and `dcol` columns to the left, for the causal half-plane of lags
// 0…4 × −4…4. One mean and variance for the whole plane.
void add_correlations(const SymbolPlane& plane, i64 rows, i64 cols, Diagnostics& out);

}  // namespace wcodec
