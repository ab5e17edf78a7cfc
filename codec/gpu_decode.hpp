// Decodes planned tensors on the GPU, on the caller's stream: nothing is allocated and nothing waits, so it may be
// captured in a CUDA graph.
#pragma once

#include <string>

#include "codec/gpu_plan.hpp"

struct CUstream_st;  // of cudaStream_t

namespace wcodec {

// Empty where kernels can run; otherwise a sentence that says why not.
std::string why_no_gpu();

// Device memory of the caller: `image` holds plan.image, `words` receives plan.words_size() bytes, `scratch` has
// plan.scratch_size() (or is null for none); each begins at a multiple of 16. `status` is a word that the caller sets
// to zero; it stays so unless a stream is damaged, one word may serve many launches, and check_gpu_status reads it.
// Decodes that follow one another directly may overlap, so they need words of their own (and scratch, where there is
// any); whatever else follows on the stream finds all of them done. Throws Error{internal} where a launch is refused.
void gpu_decode(const GpuPlan& plan, const u8* image, u8* words, u8* scratch, u64* status, CUstream_st* stream);

// The first plane's symbols alone, a byte each in coding order: the step before tiles are restored
// (codec/gpu_reconstruct.hpp).
void gpu_decode_symbols(const GpuPlan& plan, const u8* image, u8* out, u64* status, CUstream_st* stream);

}  // namespace wcodec
