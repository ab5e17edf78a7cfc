// Decoded words to weights in a model's type on the GPU, fused into the store where the record allows it.
#pragma once

#include "codec/gpu_plan.hpp"
#include "quantizers/dequantize.hpp"

struct CUstream_st;  // of cudaStream_t

namespace wcodec {

// As dequantize_words has it. `scales` (float32) and `zero_points` (a byte each, or null) are device memory, and stay
// as they are until the decode is done.
struct GpuDequantize {
  FloatOutput output = FloatOutput::bf16;
  ScalePlaces places;
  const float* scales = nullptr;
  const u8* zero_points = nullptr;
};

// Bytes of scratch memory that gpu_decode_weights takes for this plan.
u64 gpu_weights_scratch_size(const GpuPlan& plan) noexcept;

// Decodes as gpu_decode (codec/gpu_decode.hpp) does, but writes weights: float_bytes(how.output) a word to `weights`, a
// multiple of 16. The format's words are of one plane, or Error{unsupported}.
void gpu_decode_weights(const GpuPlan& plan, const GpuDequantize& how, const u8* image, u8* weights, u8* scratch,
                        u64* status, CUstream_st* stream);

}  // namespace wcodec
