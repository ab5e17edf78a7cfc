// Kernels that the benchmark needs beside the coders: the limit they are held against, and checks on the device.
#pragma once

#include "core/types.hpp"

struct CUstream_st;  // of cudaStream_t

namespace wcodec {

// Reads `in_size` bytes and writes `out_size`, each once, doing nothing else: what a decoder of that ratio could reach.
// Both are rounded down to 16 bytes; in_size ≤ out_size. Launched as the decoders are, on `stream`.
void gpu_expand(const u8* in, u64 in_size, u8* out, u64 out_size, CUstream_st* stream);

// Adds the number of differing bytes of two buffers of `size` bytes, multiples of 16, to *count (device memory).
void gpu_count_differences(const u8* a, const u8* b, u64 size, u64* count, CUstream_st* stream);

}  // namespace wcodec
