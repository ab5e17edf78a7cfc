#include "core/element_values.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace wcodec {
namespace {

template <class T>
T load(const u8* at) noexcept {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}

template <class T>
void widen(const u8* in, std::span<double> out) noexcept {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<double>(load<T>(in + i * sizeof(T)));
}

// A small float whose exponent and mantissa are the top bits of `magnitude` once it lies under binary32's sign: the
// power of two moves the exponent's bias, and makes subnormals right in the same stroke.
double small_float(u32 magnitude, int mantissa_bits, float rebias, bool negative) noexcept {
  const double value = std::bit_cast<float>(magnitude << (23 - mantissa_bits)) * rebias;
  return negative ? -value : value;
}

double f16_value(u32 bits) noexcept {
  const bool negative = (bits & 0x8000) != 0;
  if ((bits & 0x7c00) == 0x7c00) {
    if ((bits & 0x3ff) != 0) return std::numeric_limits<double>::quiet_NaN();
    return negative ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
  }
  return small_float(bits & 0x7fff, 10, 0x1p112f, negative);
}

// E4M3 has no infinities and one NaN of either sign.
double f8_e4m3_value(u32 bits) noexcept {
  if ((bits & 0x7f) == 0x7f) return std::numeric_limits<double>::quiet_NaN();
  return small_float(bits & 0x7f, 3, 0x1p120f, (bits & 0x80) != 0);
}

double f8_e8m0_value(u32 bits) noexcept {
  return bits == 255 ? std::numeric_limits<double>::quiet_NaN() : std::ldexp(1.0, static_cast<int>(bits) - 127);
}

template <class T, double (*Value)(u32)>
void decode(const u8* in, std::span<double> out) noexcept {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = Value(load<T>(in + i * sizeof(T)));
}

double bf16_value(u32 bits) noexcept { return std::bit_cast<float>(bits << 16); }
double f8_e5m2_value(u32 bits) noexcept { return f16_value(bits << 8); }

}  // namespace

bool has_element_values(DType dtype) noexcept { return dtype != DType::c64; }

void element_values(DType dtype, Bytes bytes, std::span<double> out) noexcept {
  const u8* const in = bytes.data();
  switch (dtype) {
    case DType::boolean:
    case DType::uint4:
    case DType::uint5:
    case DType::uint6:
    case DType::uint8:
      return widen<u8>(in, out);
    case DType::int4:
    case DType::int5:
    case DType::int6:
    case DType::int8:
      return widen<i8>(in, out);
    case DType::uint16:
      return widen<u16>(in, out);
    case DType::int16:
      return widen<i16>(in, out);
    case DType::uint32:
      return widen<u32>(in, out);
    case DType::int32:
      return widen<i32>(in, out);
    case DType::uint64:
      return widen<u64>(in, out);
    case DType::int64:
      return widen<i64>(in, out);
    case DType::f32:
      return widen<float>(in, out);
    case DType::f64:
      return widen<double>(in, out);
    case DType::f16:
      return decode<u16, f16_value>(in, out);
    case DType::bf16:
      return decode<u16, bf16_value>(in, out);
    case DType::f8_e4m3:
      return decode<u8, f8_e4m3_value>(in, out);
    case DType::f8_e5m2:
      return decode<u8, f8_e5m2_value>(in, out);
    case DType::f8_e8m0:
      return decode<u8, f8_e8m0_value>(in, out);
    case DType::c64:
      return;
  }
}

}  // namespace wcodec
