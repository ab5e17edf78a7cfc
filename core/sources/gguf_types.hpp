// Element and block types of GGUF files, and how a quantized block falls apart into planes of codes and scales.
// Layouts: ggml's ggml-common.h and ggml-quants.c (https://github.com/ggml-org/ggml).
#pragma once

#include <span>

#include "core/dtype.hpp"
#include "core/types.hpp"

namespace wcodec {

// One part of a block that every block of a tensor has: its values, in the order of the elements they belong to.
// Codes have the value that dequantization multiplies (Q4_0 −8…7, Q4_1 0…15, Q6_K −32…31), or, in IQ4_NL and MXFP4, are
// the index of it in a table.
struct GgufPlane {
  sv suffix;  // appended to the tensor's name: ".codes", ".scales"; empty for a type that is one plane
  DType dtype;
  int per_block;     // values a block
  int bits_in_file;  // bits a block spends on them; over all planes these are the block's bytes
  // Takes the plane out of `blocks` consecutive blocks; `out` has room for blocks · per_block values.
  void (*unpack)(const u8* in, std::size_t blocks, u8* out) noexcept;
  // The inverse: puts the plane into blocks whose bytes were zero before the first plane was put. All planes of a type
  // give the bytes of the blocks back, whatever they were.
  void (*pack)(const u8* in, std::size_t blocks, u8* out) noexcept;
};

struct GgufType {
  u32 id;
  sv name;
  int block;        // elements a block; 1 for plain types
  int block_bytes;  // 0: known by name only, cannot be read (Q8_1, which no file holds)
  std::span<const GgufPlane> planes;
};

// Nothing for an id that is not assigned.
const GgufType* find_gguf_type(u32 id) noexcept;

}  // namespace wcodec
