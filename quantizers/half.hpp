// float32 to 16-bit floats and back, round to nearest even (IEEE 754 section 4.3.1).
#pragma once

#include <bit>
#include <cmath>

#include "core/types.hpp"

namespace wcodec {

WC_HD constexpr u16 float_to_bf16(float value) noexcept {
  const u32 bits = std::bit_cast<u32>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<u16>(bits >> 16 | 0x40);  // NaN
  return static_cast<u16>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
inline float bf16_to_float(u16 half) noexcept { return std::bit_cast<float>(u32{half} << 16); }

WC_HD constexpr u16 float_to_f16(float value) noexcept {
  const u32 bits = std::bit_cast<u32>(value), magnitude = bits & 0x7fffffff;
  const u16 sign = static_cast<u16>(bits >> 16 & 0x8000);
  if (magnitude > 0x7f800000) return static_cast<u16>(sign | 0x7e00);
  if (magnitude >= 0x477ff000) return static_cast<u16>(sign | 0x7c00);  // 65520, half-way to 2^16
  if (magnitude < 0x38800000) {
    // Below 2^-14, subnormal: a count of units of 2^-24, which is the unit of floats from 0.5 to 1. (It may round up
    // into the first normal, which has that very spelling.)
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<u16>(sign | (std::bit_cast<u32>(shifted) - 0x3f000000));
  }
  const u32 rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
  return static_cast<u16>(sign | static_cast<u16>((rounded - (112u << 23)) >> 13));
}
inline float f16_to_float(u16 half) noexcept {
  const int exponent = half >> 10 & 31, mantissa = half & 0x3ff;
  const float sign = half & 0x8000 ? -1.0f : 1.0f;
  if (exponent == 31) return mantissa ? std::nanf("") : sign * INFINITY;
  return sign * (exponent ? std::ldexp(1024.0f + static_cast<float>(mantissa), exponent - 25)
                          : std::ldexp(static_cast<float>(mantissa), -24));
}

}  // namespace wcodec
