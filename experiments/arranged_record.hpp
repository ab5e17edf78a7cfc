// A tensor record with what the axes `order` and `approx` put before it: an experiment's record, not a file format.
//
//   varint: bytes of the tensor record
//   tensor record (docs/format.md) of the matrix after both
//   arrangement (orders.hpp), approximation (approximations.hpp)
//   u32: CRC32 of those two
//
// First the matrix is rearranged, then the part is taken off; decoding goes back.
#pragma once

#include "codec/tensor_codec.hpp"
#include "experiments/approximations.hpp"
#include "experiments/orders.hpp"

namespace wcodec {

// What stands before the tensor codec.
struct Front {
  OrderChoice order;
  ApproxChoice approx;
};
Front parse_front(sv order, sv approx);

// The matrix that the tensor codec gets, and what undoes it.
struct FrontedTensor {
  QuantizedTensor tensor;
  LedgerWriter side;  // arrangement and approximation
};
FrontedTensor apply_front(const QuantizedTensor& tensor, const Front& front);

// Joins it with the record of its tensor.
EncodedTensor join_front(const FrontedTensor& fronted, const EncodedTensor& record);
// From the bytes alone. Throws Error{corrupt | truncated | unsupported | limit}.
QuantizedTensor decode_fronted(Bytes bytes, u64 max_weights);

}  // namespace wcodec
