// What quantization yields: words at a native width, and the side information that turns them back into weights.
#pragma once

#include <string>
#include <vector>

#include "core/dtype.hpp"
#include "core/types.hpp"

namespace wcodec {

// How the bits of a word are to be understood.
struct WordFormat {
  int bits = 8;          // native width, used in the accounts
  int memory_bytes = 1;  // 1, 2, 4 or 8: bytes a word takes in `words`, little-endian
  NumberClass number = NumberClass::signed_int;
  int exponent_bits = 0, mantissa_bits = 0;  // floating only
  friend bool operator==(const WordFormat&, const WordFormat&) = default;
};

constexpr WordFormat word_format(const DTypeInfo& d) noexcept {
  return {d.bits, d.memory_bytes, d.number, d.exponent_bits, d.mantissa_bits};
}

// A rows × cols matrix of words, row-major. Signed words narrower than their bytes are sign-extended.
struct QuantizedTensor {
  i64 rows = 0, cols = 0;
  WordFormat format;
  std::vector<u8> words;
  std::vector<u8> scales;  // side information exactly as stored; empty for lossless

  u64 weights() const noexcept { return static_cast<u64>(rows) * static_cast<u64>(cols); }
  // Symbols at native width, rounded up to whole bytes, without scales.
  u64 symbol_bytes() const noexcept { return (weights() * static_cast<u64>(format.bits) + 7) / 8; }
};

}  // namespace wcodec
