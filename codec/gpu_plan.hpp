// A tensor record made ready for the GPU: what its headers say, and one block of bytes, the image, that is copied to
// device memory as it is. The image has the record's streams unchanged; tables, and places of chunks, are spelled out.
#pragma once

#include <vector>

#include "codec/tensor_codec.hpp"
#include "entropy/gpu_stream.hpp"

namespace wcodec {

struct GpuPlan {
  i64 rows = 0, cols = 0;
  WordFormat format;
  std::vector<u8> scales;
  std::vector<GpuStream> streams;  // one a plane
  std::vector<u8> image;
  bool is_joined = false;  // bf16: the first stream writes the words, the second is read by it

  u64 weights() const noexcept { return static_cast<u64>(rows) * static_cast<u64>(cols); }
  u64 words_size() const noexcept { return weights() * static_cast<u64>(format.memory_bytes); }
  // Of device memory that planes pass through on their way to words: none where a word is one plane, or is joined.
  u64 scratch_size() const noexcept;
};

// Throws as decode_tensor does, for all that can be told from headers; Error{unsupported} for records that only the CPU
// decodes: predicted or transformed ones, and planes of coders or tables that the GPU has not. What is wrong behind the
// streams is found here, before what is wrong in them.
GpuPlan plan_gpu_decode(Bytes record, u64 max_weights = kDefaultWeightLimit);

// Throws what decode_tensor throws for this fault; `status` is what the device wrote, 0 for none.
void check_gpu_status(u64 status);

}  // namespace wcodec
