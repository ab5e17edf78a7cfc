// Residuals as numbers around 0.
#pragma once

#include <bit>

#include "core/types.hpp"

namespace wcodec {

// |x| of the number x in −2^(bits−1) … 2^(bits−1) − 1 that is the residual modulo 2^bits.
constexpr int magnitude(u8 residual, int bits) noexcept {
  const int half = 1 << (bits - 1);
  return residual < half ? residual : 2 * half - residual;
}
// Bits of that: 0 … 8.
constexpr int magnitude_bits(u8 residual, int bits) noexcept {
  return std::bit_width(static_cast<unsigned>(magnitude(residual, bits)));
}

}  // namespace wcodec
