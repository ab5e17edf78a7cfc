// Encodes tensors that lie in GPU memory, on the caller's stream: count, choose codes on the host, encode, and take the
// record. Counting and encoding neither allocate nor wait, so each may be captured in a CUDA graph.
#pragma once

#include "codec/gpu_encode_plan.hpp"

struct CUstream_st;  // of cudaStream_t

namespace wcodec {

// Warps that the current GPU runs at a time, for plan_gpu_encode. Throws Error{internal}.
u32 gpu_encode_warps();

// Device memory of the caller, each beginning at a multiple of 16: `words` are the tensor's, row-major, never written;
// the others are of the sizes that the plan says.
struct GpuEncodeMemory {
  const u8* words;
  u8 *image, *work, *output;
};

// Counts symbols to the beginning of work memory. Throws Error{internal} where a launch is refused, as all of these do.
void gpu_count(const GpuEncodePlan& plan, const GpuEncodeMemory& memory, CUstream_st* stream);

// Waits for the counts, chooses and copies codes.image to memory.image, which the stream sees before what follows. A
// caller with pinned memory may do as much by itself, and overlap it with other tensors.
GpuEncodeCodes choose_gpu_codes(const GpuEncodePlan& plan, const GpuEncodeMemory& memory, CUstream_st* stream);

// With codes.image in memory.image. The codes must be those of these words: others need not cover their symbols,
// and what then comes out decodes to something else.
void gpu_encode(const GpuEncodePlan& plan, const GpuEncodeCodes& codes, const GpuEncodeMemory& memory,
                CUstream_st* stream);

// Waits for the stream, stores planes that came out longer than they are uncoded, copies bytes to the host and puts
// the record together. The checksum of what the GPU has written was made there; the host adds headers and index.
EncodedTensor finish_gpu_encode(const GpuEncodePlan& plan, const GpuEncodeCodes& codes, const GpuEncodeMemory& memory,
                                Bytes scales, CUstream_st* stream);

// All in one, from and to the host's memory: what encode_tensor yields with kUntiled and `none`.
EncodedTensor encode_tensor_on_gpu(const QuantizedTensor& tensor, const CoderChoice& coder);

}  // namespace wcodec
