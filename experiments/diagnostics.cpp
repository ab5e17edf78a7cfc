#include "experiments/diagnostics.hpp"

#include <cmath>

namespace wcodec {

void add_histograms(PlanePredictions& predictions, std::span<const PredictorChoice> set, Diagnostics& out) {
  const PlaneInfo& plane = predictions.plane().info;
  const int alphabet = 1 << plane.bits;
  for (const PredictorChoice& predictor : set) {
    const std::vector<u64>& counts = predictions.counts(predictor);
    const bool is_signed = plane.zero != 0 || predictor.row->name != "none";
    Diagnostics::Histogram histogram{std::string(plane.name), to_string(predictor), {}};
    const int first = is_signed ? -alphabet / 2 : 0;
    for (int value = first; value < first + alphabet; ++value) {
      if (const u64 count = counts[static_cast<std::size_t>(value & (alphabet - 1))]; count > 0)
        histogram.counts.emplace_back(value, count);
    }
    out.histograms.push_back(std::move(histogram));
  }
}

void add_correlations(const SymbolPlane& plane, i64 rows, i64 cols, Diagnostics& out) {
  constexpr int kReach = 4;
  const auto weights = static_cast<double>(plane.symbols.size());
  if (plane.symbols.empty()) return;
  double sum = 0;
  for (const u8 symbol : plane.symbols) sum += symbol;
  const double mean = sum / weights;
  const int centre = static_cast<int>(std::lround(mean));
  std::vector<i16> values(plane.symbols.size());
  double square = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<i16>(plane.symbols[i] - centre);
    square += values[i] * values[i];
  }
  const double shift = mean - centre, variance = square / weights - shift * shift;
  for (int drow = 0; drow <= kReach; ++drow) {
    for (int dcol = drow == 0 ? 1 : -kReach; dcol <= kReach; ++dcol) {
      const i64 first_col = std::max(0, dcol), end_col = std::min<i64>(cols, cols + dcol);
      if (drow >= rows || first_col >= end_col || variance <= 0) continue;
      i64 products = 0;
      for (i64 r = drow; r < rows; ++r) {
        const i16* const here = values.data() + r * cols;
        const i16* const there = values.data() + (r - drow) * cols - dcol;
        i64 line = 0;
        for (i64 c = first_col; c < end_col; ++c) line += here[c] * there[c];
        products += line;
      }
      const double pairs = static_cast<double>(rows - drow) * static_cast<double>(end_col - first_col);
      out.correlations.push_back({drow, dcol, (static_cast<double>(products) / pairs - shift * shift) / variance});
    }
  }
}

}  // namespace wcodec
