// What products are measured against: exact ones, and the speed of reading alone.
#pragma once

#include "core/types.hpp"

struct CUstream_st;  // of cudaStream_t

namespace wcodec {

// y = W x in double precision: W float, row-major, x bf16, all in device memory; vectors one after another.
void exact_product(const float* weights, i64 rows, i64 cols, const u16* x, double* y, int batch, CUstream_st* stream);

// Reads `bytes` (a multiple of 64 KiB) and does nothing with them; `sink` is four bytes of device memory.
void read_only(const u8* data, u64 bytes, u32* sink, CUstream_st* stream);

}  // namespace wcodec
