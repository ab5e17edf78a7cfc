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

inline constexpr int kMaxBitPlanes = 32;
inline constexpr int kMaxCoefficientPlanes = 12;  // coefficients of transforms have 11 bits and a sign

// A value known to lie in low … high is taken for the middle, towards zero where there are two: small values are more
// frequent than large ones.
struct KnownInterval {
  i64 low, high;

  friend constexpr bool operator==(const KnownInterval&, const KnownInterval&) = default;
  constexpr i64 centre() const noexcept { return (low + high) / 2; }
  // The most that `guess` can be off.
  constexpr i64 radius(i64 guess) const noexcept { return std::max(guess - low, high - guess); }
  constexpr i64 radius() const noexcept { return radius(centre()); }
};

// After the planes above the lowest `hidden` ones have given `prefix`.
constexpr KnownInterval known_interval(BitOrder order, int planes, u32 prefix, bool negative, int hidden) noexcept {
  const i64 span = (i64{1} << hidden) - 1, first = static_cast<i64>(u64{prefix} << hidden);
  if (order == BitOrder::offset) {
    const i64 half = planes == 0 ? 0 : i64{1} << (planes - 1);
    return {first - half, first + span - half};
  }
  if (prefix == 0) return {-span, span};
  return negative ? KnownInterval{-first - span, -first} : KnownInterval{first, first + span};
}

// The unsigned number whose bits are the planes.
constexpr u32 plane_bits(BitOrder order, int planes, i32 value) noexcept {
  const i64 wide = value;
  if (order == BitOrder::offset) return static_cast<u32>(wide + (planes == 0 ? 0 : i64{1} << (planes - 1)));
  return static_cast<u32>(wide < 0 ? -wide : wide);
}

// Planes that values from `low` to `high` need, low ≤ 0 ≤ high.
constexpr int plane_count(BitOrder order, i64 low, i64 high) noexcept {
  const auto width = [](i64 magnitude) { return static_cast<int>(std::bit_width(static_cast<u64>(magnitude))); };
  if (order == BitOrder::sign_magnitude) return width(std::max(-low, high));
  if (low == 0 && high == 0) return 0;
  return 1 + std::max(width(low < 0 ? -low - 1 : 0), width(high));
}

}  // namespace wcodec
