#include "experiments/student.hpp"

#include <cmath>

#include "core/portable_math.hpp"

namespace wcodec {
namespace {

constexpr double kLeastExponent = -690;  // portable_exp ends at -700
constexpr double kLargest = 1e150;       // its square is finite

// ln Γ(z + ½) − ln Γ(z): raised to z ≥ 20 by the recurrence of Γ, where four terms of Stirling's series leave under
// 1e-15.
double log_gamma_half_step(double z) noexcept {
  double log_shift = 0;
  for (; z < 20; z += 1) log_shift += portable_log(z / (z + 0.5));
  const auto stirling = [](double x) {
    const double inverse = 1 / x, square = inverse * inverse;
    const double series = inverse * (1.0 / 12 - square * (1.0 / 360 - square * (1.0 / 1260 - square / 1680)));
    return (x - 0.5) * portable_log(x) - x + series;
  };
  return stirling(z + 0.5) - stirling(z) + log_shift;
}

// The continued fraction of I_x(a, b)·a·B(a, b) / (x^a (1−x)^b), which converges fast for x < (a+1)/(a+b+2).
double beta_fraction(double x, double a, double b) noexcept {
  constexpr double kTiny = 1e-300, kEnough = 1e-15;
  constexpr int kMost = 10'000;
  const auto away_from_zero = [](double value) { return std::fabs(value) < kTiny ? kTiny : value; };
  double c = 1, d = 1 / away_from_zero(1 - (a + b) * x / (a + 1)), fraction = d;
  for (int m = 1; m <= kMost; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away_from_zero(1 + even * d);
    c = away_from_zero(1 + even / c);
    fraction *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away_from_zero(1 + odd * d);
    c = away_from_zero(1 + odd / c);
    fraction *= d * c;
    if (std::fabs(d * c - 1) < kEnough) break;
  }
  return fraction;
}

}  // namespace

double student_upper_tail(double t, double freedom) noexcept {
  if (std::isnan(t) || std::isnan(freedom)) return t + freedom;
  if (t < 0) return 1 - student_upper_tail(-t, freedom);
  if (t == 0) return 0.5;
  if (t > kLargest) return 0;
  // P(|T| > t) = I_x(freedom/2, 1/2) with x = freedom/(freedom + t²).
  const double a = freedom / 2, b = 0.5, square = t * t;
  const double x = freedom / (freedom + square), rest = square / (freedom + square);
  // 1/B(a, ½) = Γ(a + ½) / (Γ(a) √π)
  constexpr double kHalfLogPi = 0.572364942924700087071713675677;
  const double log_front = a * portable_log(x) + b * portable_log(rest) + log_gamma_half_step(a) - kHalfLogPi;
  const double front = log_front < kLeastExponent ? 0 : portable_exp(log_front);
  if (x < (a + 1) / (a + b + 2)) return 0.5 * front * beta_fraction(x, a, b) / a;
  return 0.5 * (1 - front * beta_fraction(rest, b, a) / b);
}

}  // namespace wcodec
