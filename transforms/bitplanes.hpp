// Values by bit planes, most significant first: what a prefix of the planes says of a value.
#pragma once

#include <algorithm>
#include <bit>
#include <span>

#include "core/types.hpp"

namespace wcodec {

enum class BitOrder : u8 {
  offset = 0,          // value + 2^(planes − 1), unsigned
  sign_magnitude = 1,  // the magnitude; the sign as soon as a bit of the magnitude is 1
};

inline constexpr int kMaxBitPlanes = 12;  // coefficients of transforms have 11 bits and a sign

// A value known to lie in low … high is taken for the middle, towards zero where there are two: small values are more
// frequent than large ones.
struct KnownInterval {
  i32 low, high;

  constexpr i32 centre() const noexcept { return (low + high) / 2; }
  constexpr i32 radius() const noexcept { return std::max(centre() - low, high - centre()); }
};

// After the planes above the lowest `hidden` ones have given `prefix`.
constexpr KnownInterval known_interval(BitOrder order, int planes, u32 prefix, bool negative, int hidden) noexcept {
  const i32 span = (i32{1} << hidden) - 1, first = static_cast<i32>(prefix << hidden);
  if (order == BitOrder::offset) {
    const i32 half = planes == 0 ? 0 : i32{1} << (planes - 1);
    return {first - half, first + span - half};
  }
  if (prefix == 0) return {-span, span};
  return negative ? KnownInterval{-first - span, -first} : KnownInterval{first, first + span};
}

// The unsigned number whose bits are the planes.
constexpr u32 plane_bits(BitOrder order, int planes, i32 value) noexcept {
  if (order == BitOrder::offset) return static_cast<u32>(value + (planes == 0 ? 0 : i32{1} << (planes - 1)));
  return static_cast<u32>(value < 0 ? -value : value);
}

// Planes that values from `low` to `high` need, low ≤ 0 ≤ high.
constexpr int plane_count(BitOrder order, i32 low, i32 high) noexcept {
  const auto width = [](i32 magnitude) { return static_cast<int>(std::bit_width(static_cast<u32>(magnitude))); };
  if (order == BitOrder::sign_magnitude) return width(std::max(-low, high));
  if (low == 0 && high == 0) return 0;
  return 1 + std::max(width(low < 0 ? -low - 1 : 0), width(high));
}

}  // namespace wcodec
