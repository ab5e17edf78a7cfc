// Weights made ready for a product: cut into tiles whose bytes are in the order in which the tensor cores' lanes want
// them (tile_layout.hpp), so that decoding happens in registers on the way from memory into the product. It is made
// when a model is loaded, from a record or from weights; it is no file format.
#pragma once

#include <span>
#include <vector>

#include "products/packed_shape.hpp"
#include "quantizers/quantized.hpp"
#include "quantizers/registry.hpp"

namespace wcodec {

struct PackedMatrix {
  PackedShape shape;
  std::vector<u8> image;  // goes to device memory as it is, to a multiple of 128
  u64 escapes = 0;
};

inline constexpr i64 kMaxProductCols = 65536, kMaxProductRows = 1 << 24;

// `weights` are bf16, row-major. Throws Error{usage} where they are not rows · cols many, Error{unsupported} for a
// matrix with nothing in it or beyond the limits above.
PackedMatrix pack_bf16_plain(i64 rows, i64 cols, std::span<const u16> weights);
PackedMatrix pack_bf16_palette(i64 rows, i64 cols, std::span<const u16> weights);

// What the quantizer made: bf16 of `lossless`, `int8` with scales by tensor, row or group, `int4` with scales by
// tensor, row or group, symmetric or not; a group is 64, 128, 256 … weights. Error{unsupported} for anything else,
// naming it. bf16 is packed with palettes, or plain where that is smaller.
PackedMatrix pack(const QuantizedTensor& tensor, const QuantizerChoice& quantizer);
// The same of a tensor record (codec/tensor_codec.hpp), which is decoded on the CPU; throws what decode_tensor throws.
PackedMatrix pack_record(Bytes record, const QuantizerChoice& quantizer);

// The words again, exactly: what a kernel sees, by the functions that it uses. For tests and verification.
std::vector<u8> unpack_words(const PackedMatrix& matrix);

}  // namespace wcodec
