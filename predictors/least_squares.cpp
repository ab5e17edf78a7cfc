#include "predictors/least_squares.hpp"

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <array>
#include <cmath>
#include <cstring>

namespace wcodec {
namespace {

constexpr int kMax = LeastSquares::kMaxNeighbours;
struct Offset {
  int up, left;
};
constexpr std::array<Offset, kMax> kNeighbours = {{{0, 1}, {1, 0}, {1, 1}, {1, -1}, {0, 2}, {2, 0}, {1, 2}, {2, 1}}};

// Neighbours of (r, c) counted from zero. One that lies outside the tile is replaced by L, or T on the first column.
template <class W>
void gather(Tile<W> t, int r, int c, int count, int zero, int* values) noexcept {
  const int fallback = c > 0 ? t(r, c - 1) : t(r - 1, c);
  for (int k = 0; k < count; ++k) {
    const int rr = r - kNeighbours[static_cast<std::size_t>(k)].up,
              cc = c - kNeighbours[static_cast<std::size_t>(k)].left;
    values[k] = (rr >= 0 && cc >= 0 && cc < t.cols ? t(rr, cc) : fallback) - zero;
  }
}

struct Weights {
  int count;
  std::array<int, kMax> fixed;

  explicit Weights(const PredictorContext& context) noexcept : count(context.option), fixed{} {
    for (int k = 0; k < count; ++k) {
      i16 weight;
      std::memcpy(&weight, context.params + 2 * k, 2);
      fixed[static_cast<std::size_t>(k)] = weight;
    }
  }
  template <class W>
  u8 guess(Tile<W> t, int r, int c, const PredictorContext& context) const noexcept {
    if (r == 0 && c == 0) return context.zero;
    std::array<int, kMax> values;
    gather(t, r, c, count, context.zero, values.data());
    int sum = 1 << (LeastSquares::kFractionBits - 1);
    for (std::size_t k = 0; k < static_cast<std::size_t>(count); ++k) sum += fixed[k] * values[k];
    const int guess = context.zero + (sum >> LeastSquares::kFractionBits);
    return static_cast<u8>(std::clamp<int>(guess, 0, context.mask));
  }
};

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
        gather(t, r, c, count, context.zero, values.data());
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
  const Weights weights(context);
  for (int r = 0; r < x.rows; ++r) {
    for (int c = 0; c < x.cols; ++c)
      *out++ = static_cast<u8>((x(r, c) - weights.guess(x, r, c, context)) & context.mask);
  }
}

void LeastSquares::reconstruct(Tile<u8> t, const PredictorContext& context, const u8* residual) noexcept {
  const Weights weights(context);
  for (int r = 0; r < t.rows; ++r) {
    for (int c = 0; c < t.cols; ++c)
      t(r, c) = static_cast<u8>((*residual++ + weights.guess(t, r, c, context)) & context.mask);
  }
}

}  // namespace wcodec
