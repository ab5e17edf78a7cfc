// Element types of tensors as they stand in checkpoints.
#pragma once

#include <optional>

#include "core/types.hpp"

namespace wcodec {

// Values are used in containers: never renumber, only append.
enum class DType : u8 {
  boolean = 0,
  uint8 = 1,
  int8 = 2,
  uint16 = 3,
  int16 = 4,
  uint32 = 5,
  int32 = 6,
  uint64 = 7,
  int64 = 8,
  f8_e4m3 = 9,
  f8_e5m2 = 10,
  f16 = 11,
  bf16 = 12,
  f32 = 13,
  f64 = 14,
  // Sub-byte integers (packed codes of GGUF or of a `view`). In memory each takes a whole byte: unsigned ones 0…2^b−1,
  // signed ones sign-extended. `bits` is the width they are accounted with.
  uint4 = 15,
  int4 = 16,
  uint5 = 17,
  int5 = 18,
  uint6 = 19,
  int6 = 20,
  f8_e8m0 = 21,
  c64 = 22,
};

enum class NumberClass : u8 { unsigned_int, signed_int, floating };

struct DTypeInfo {
  sv name;           // safetensors spelling where it has one, otherwise ours ("I4")
  int bits;          // width in the accounts
  int memory_bytes;  // bytes an element takes in a decoded buffer
  NumberClass number;
  int exponent_bits;  // floating only
  int mantissa_bits;  // floating only
};

const DTypeInfo& info(DType dtype) noexcept;
// Safetensors spelling ("BF16") or ours; nothing for an unknown name.
std::optional<DType> parse_dtype(sv name) noexcept;
// A floating type that the numeric quantizers accept.
bool is_quantizable(DType dtype) noexcept;

}  // namespace wcodec
