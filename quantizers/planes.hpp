// Words become planes of symbols of at most 8 bits, and back.
//
// Integers of up to 8 bits are one plane. Floats become their fields: `exponent`, then `sign_mantissa` (the sign above
// the top mantissa bits), then further mantissa bytes. FP8 stays one plane. Wider integers become bytes from the top.
// Symbols are order-preserving unsigned words: a signed x is held as x + 2^(bits−1); `zero` is the word that stands for
// 0.
#pragma once

#include <span>

#include "quantizers/quantized.hpp"

namespace wcodec {

struct PlaneInfo {
  sv name;         // static text
  int bits;        // symbols are 0 … 2^bits − 1
  u8 zero;         // what prediction counts from
  bool log_scale;  // symbols are exponents: their mean, not the logarithm of their mean, is a scale
};

struct SymbolPlane {
  PlaneInfo info;
  std::vector<u8> symbols;  // row-major, one byte each
};

// The planes a format splits into, in coding order.
std::vector<PlaneInfo> plane_layout(const WordFormat& format);
std::vector<SymbolPlane> split_planes(const QuantizedTensor& tensor);
// Inverse. `planes` are as `plane_layout(format)` says, `count` symbols each; returns the words.
std::vector<u8> join_planes(const WordFormat& format, const std::vector<std::vector<u8>>& planes, u64 count);
// The same into `words`, which has room for `count` words; with one plane it may be the plane itself.
void join_planes_into(const WordFormat& format, std::span<const u8* const> planes, u64 count, u8* words) noexcept;

// Words of more than 8 bits rearranged so that planes lie side by side, the first on top: integers with their top bit
// inverted where signed; floats exponent, sign, mantissa. What of the exponent exceeds 8 bits (FP64) goes with the
// sign.
WC_HD constexpr u64 arrange_word(const WordFormat& f, u64 word) {
  if (f.number == NumberClass::signed_int) return word ^ (u64{1} << (f.bits - 1));
  if (f.number != NumberClass::floating) return word;
  const u64 sign = word >> (f.bits - 1) & 1, mantissa_mask = (u64{1} << f.mantissa_bits) - 1;
  const u64 exponent = word >> f.mantissa_bits & ((u64{1} << f.exponent_bits) - 1);
  const int low_exponent = f.exponent_bits > 8 ? f.exponent_bits - 8 : 0;
  const u64 low = exponent & ((u64{1} << low_exponent) - 1);
  return (exponent >> low_exponent) << (f.bits - f.exponent_bits + low_exponent) |
         sign << (f.mantissa_bits + low_exponent) | low << f.mantissa_bits | (word & mantissa_mask);
}
// Words of more than 8 bits from their planes put side by side, the first on top: what joining does, for the GPU too.
WC_HD constexpr u64 restore_word(const WordFormat& f, u64 arranged) {
  if (f.number == NumberClass::signed_int) return arranged ^ (u64{1} << (f.bits - 1));
  if (f.number != NumberClass::floating) return arranged;
  const int low_exponent = f.exponent_bits > 8 ? f.exponent_bits - 8 : 0, rest = f.mantissa_bits + low_exponent;
  const u64 high = arranged >> (rest + 1), sign = arranged >> rest & 1;
  const u64 low = arranged >> f.mantissa_bits & ((u64{1} << low_exponent) - 1);
  return sign << (f.bits - 1) | (high << low_exponent | low) << f.mantissa_bits |
         (arranged & ((u64{1} << f.mantissa_bits) - 1));
}

// Order-preserving unsigned word: integers by value, floats by IEEE total order. For ranking.
u64 order_key(const WordFormat& format, u64 word) noexcept;
u64 word_of_order_key(const WordFormat& format, u64 key) noexcept;  // the inverse
// The value a word stands for, without its scale.
double word_value(const WordFormat& format, u64 word) noexcept;
u64 load_word(const WordFormat& format, const u8* words, u64 index) noexcept;

}  // namespace wcodec
