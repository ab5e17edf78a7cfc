// CRC-32 (core/hash.hpp) as arithmetic of polynomials over GF(2) modulo its generator: checksums of parts that were
// made apart become that of the whole (compare crc32_combine of zlib, which has no inverse powers).
//
// A polynomial of degree below 32 is held as the checksum holds it: the coefficient of x^0 is the highest bit. The
// *raw* checksum of bytes begins at 0 and is not inverted: it is linear, and k zero bytes behind multiply it by x^(8k).
#pragma once

#include "core/types.hpp"

namespace wcodec {

inline constexpr u32 kCrcGenerator = 0xedb88320, kCrcOne = u32{1} << 31;
// x^kCrcOrder = 1: the generator is primitive.
inline constexpr u64 kCrcOrder = 0xffffffff;

WC_HD constexpr u32 crc_times(u32 a, u32 b) {
  u32 product = 0;
  for (int i = 0; i < 32; ++i) {
    product ^= b & (0 - (a >> 31));
    a <<= 1;
    b = b >> 1 ^ (kCrcGenerator & (0 - (b & 1)));
  }
  return product;
}

// x^exponent; crc_power(kCrcOrder − e) is x^−e.
WC_HD constexpr u32 crc_power(u64 exponent) {
  u32 result = kCrcOne, square = kCrcOne >> 1;
  for (exponent %= kCrcOrder; exponent != 0; exponent >>= 1) {
    if ((exponent & 1) != 0) result = crc_times(result, square);
    square = crc_times(square, square);
  }
  return result;
}

// CRC-32 of `size` bytes of which `raw` is the raw checksum.
WC_HD constexpr u32 crc_of_raw(u32 raw, u64 size) { return ~(raw ^ crc_times(~u32{0}, crc_power(8 * size))); }
// CRC-32 of what has `before`, followed by `size` bytes that have `crc`.
WC_HD constexpr u32 crc_append(u32 before, u32 crc, u64 size) { return crc_times(before, crc_power(8 * size)) ^ crc; }

}  // namespace wcodec
