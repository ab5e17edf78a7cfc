// Products of a packed matrix with a few vectors on the GPU, decoded in registers on the way.
#pragma once

#include "products/packed_shape.hpp"
#include "products/product_vectors.hpp"

struct CUstream_st;  // of cudaStream_t

namespace wcodec {

// y = W x on the caller's stream: no allocation, no waiting, so it may be captured in a CUDA graph. `image` is a copy
// of the packed matrix's image in device memory, beginning at a multiple of 128. Where the launch before on the stream
// lets others begin early (another product, or a decoder of ours), weights may be read while that one ends: a kernel
// that writes the image must not be the one right before. x is not read, nor y written, before all earlier work on the
// stream is done.
//
// Products are of the exact weights; sums are in fp32, in an order that depends on shape, batch and
// multiprocessors only, so the same call gives the same bits. A weight outside its row's palette (an escape) is
// multiplied and added in fp32 as well, and its place in the tile by 0: an infinite or NaN x makes y NaN where such a
// weight would have made it infinite.
//
// Throws Error{usage} for vectors that are not as described, Error{internal} where the launch is refused.
void product(const PackedShape& shape, const u8* image, const ProductVectors& vectors, CUstream_st* stream);

}  // namespace wcodec
