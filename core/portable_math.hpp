// Elementary functions made of IEEE +, −, ×, ÷ and sqrt alone, so that results are the same on every compiler and libm
// (the build switches off contraction to fused multiply-add). Accurate to about 1e-15 relative.
#pragma once

#include <bit>
#include <cmath>

#include "core/types.hpp"

namespace wcodec {

// Natural logarithm of a positive, finite, normal number: exponent apart, then 2·atanh((m−1)/(m+1)) as a series.
inline double portable_log(double x) noexcept {
  constexpr double kLn2 = 0.693147180559945309417232121458;
  u64 bits = std::bit_cast<u64>(x);
  int exponent = static_cast<int>(bits >> 52 & 0x7ff) - 1023;
  bits = (bits & 0x000fffffffffffffu) | 0x3ff0000000000000u;
  double m = std::bit_cast<double>(bits);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    ++exponent;
  }
  const double z = (m - 1.0) / (m + 1.0), z2 = z * z;  // |z| ≤ 0.1716, so 12 terms leave under 1e-19
  double sum = 0.0;
  for (int k = 23; k >= 1; k -= 2) sum = sum * z2 + 1.0 / k;
  return 2.0 * z * sum + exponent * kLn2;
}

inline double portable_log2(double x) noexcept { return portable_log(x) * 1.44269504088896340735992468100; }

// e^x for |x| ≤ 700: 2^k apart, then a Taylor series on |r| ≤ ln2/2 (18 terms leave under 1e-22).
inline double portable_exp(double x) noexcept {
  constexpr double kLn2High = 0.693147180369123816490, kLn2Low = 1.90821492927058770002e-10;
  const double k = std::floor(x * 1.44269504088896340735992468100 + 0.5);
  const double r = (x - k * kLn2High) - k * kLn2Low;
  double sum = 1.0;
  for (int n = 18; n >= 1; --n) sum = 1.0 + sum * r / n;
  return sum * std::bit_cast<double>(static_cast<u64>(static_cast<i64>(k) + 1023) << 52);
}

// sin(2πx) for |x| ≤ 2^40, exactly periodic: the whole part is taken off without rounding, then a Taylor series on an
// eighth of the circle to either side (|error| under 1e-15).
double portable_sin2pi(double x) noexcept;

// Inverse of the standard normal distribution function for 0 < p < 1: Wichura's algorithm AS 241 (PPND16, 1988).
double portable_normal_quantile(double p) noexcept;

}  // namespace wcodec
