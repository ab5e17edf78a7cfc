#include "predictors/least_squares.hpp"

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <array>
#include <cmath>
#include <cstring>

namespace wcodec {
namespace {

constexpr int kMax = LeastSquares::kMaxNeighbours;

}  // namespace

void LeastSquares::fit(const u8* plane, const TileGrid& grid, const PredictorContext& context, u8* params) {
  const int count = context.option;
  std::array<std::array<i64, kMax>, kMax> moments{};
  std::array<i64, kMax> targets{};
  for (i64 index = 0; index < grid.tiles(); ++index) {
    const Tile<const u8> t = grid.tile(plane, index);
    for (int r = 0; r < t.rows; ++r) {
      for (int c = r == 0 ? 1 : 0; c < t.cols; ++c) {
        std::array<int, kMax> values{};
        gather_neighbours(t, r, c, count, context.zero, values.data());
        const i64 target = t(r, c) - context.zero;
        for (std::size_t a = 0; a < static_cast<std::size_t>(count); ++a) {
          targets[a] += target * values[a];
          for (std::size_t b = 0; b <= a; ++b) moments[a][b] += i64{values[a]} * values[b];
        }
      }
    }
  }
  Eigen::MatrixXd normal(count, count);
  Eigen::VectorXd right(count);
  for (int a = 0; a < count; ++a) {
    right(a) = static_cast<double>(targets[static_cast<std::size_t>(a)]);
    for (int b = 0; b <= a; ++b) {
      normal(a, b) = normal(b, a) =
          static_cast<double>(moments[static_cast<std::size_t>(a)][static_cast<std::size_t>(b)]);
    }
  }
  // A constant plane has a singular system; the ridge makes its solution 0 or equal shares, and moves no other by more
  // than the rounding to fixed point does.
  normal.diagonal().array() += 1e-9 * normal.diagonal().maxCoeff() + 1e-9;
  const Eigen::VectorXd weights = normal.ldlt().solve(right);
  for (int k = 0; k < count; ++k) {
    const double scaled = std::nearbyint(weights(k) * (1 << kFractionBits));
    const auto fixed = static_cast<i16>(std::isfinite(scaled) ? std::clamp(scaled, -32767.0, 32767.0) : 0.0);
    std::memcpy(params + 2 * k, &fixed, 2);
  }
}

void LeastSquares::residual(Tile<const u8> x, const PredictorContext& context, u8* out) noexcept {
  const LeastSquaresWeights weights(context);
  for (int r = 0; r < x.rows; ++r) {
    for (int c = 0; c < x.cols; ++c)
      *out++ = static_cast<u8>((x(r, c) - weights.guess(x, r, c, context)) & context.mask);
  }
}

void LeastSquares::reconstruct(Tile<u8> t, const PredictorContext& context, const u8* residual) noexcept {
  const LeastSquaresWeights weights(context);
  for (int r = 0; r < t.rows; ++r) {
    for (int c = 0; c < t.cols; ++c)
      t(r, c) = static_cast<u8>((*residual++ + weights.guess(t, r, c, context)) & context.mask);
  }
}

}  // namespace wcodec
