// A tensor record made ready for the GPU: what its headers say, and one block of bytes, the image, that is copied to
// device memory as it is. The image has the record's streams unchanged; tables, and places of chunks, are spelled out.
#pragma once

#include <vector>

#include "codec/gpu_tiles.hpp"
#include "codec/tensor_codec.hpp"
#include "entropy/gpu_bit_planes.hpp"
#include "entropy/gpu_stream.hpp"

namespace wcodec {

struct GpuPlan {
  i64 rows = 0, cols = 0;
  WordFormat format;
  std::vector<u8> scales;
  std::vector<GpuStream> streams;       // one a plane
  std::vector<GpuBitPlane> bit_planes;  // of the streams that are coded so, one after the other
  std::vector<GpuTiles> tiles;          // one a plane where symbols are tiled, predicted or transformed; otherwise none
  std::vector<u8> image;
  u64 values = 0;          // in the image: what each word stands for, 256 × float, where words are one plane
  bool is_joined = false;  // bf16: the first stream writes the words, the second is read by it

  u64 weights() const noexcept { return static_cast<u64>(rows) * static_cast<u64>(cols); }
  u64 words_size() const noexcept { return weights() * static_cast<u64>(format.memory_bytes); }
  // Of device memory that symbols and planes pass through on their way to words: none for a plain record whose word is
  // one plane, or is joined.
  u64 scratch_size() const noexcept { return plane_bytes() * scratch_planes() + escape_bytes(); }
  // Its parts, in this order: a plane of decoded symbols each, then places of escapes.
  u64 plane_bytes() const noexcept;
  u64 scratch_planes() const noexcept;
  u64 escape_bytes() const noexcept;
};

// Throws as decode_tensor does, for all that can be told from headers; Error{unsupported} for records that only the CPU
// decodes: predictors of plug-ins, and planes of coders or tables that the GPU has not. What is wrong behind the
// streams is found here, before what is wrong in them.
// `image` is memory that the plan's image may use again.
GpuPlan plan_gpu_decode(Bytes record, u64 max_weights = kDefaultWeightLimit, std::vector<u8> image = {});

// Throws what decode_tensor throws for this fault; `status` is what the device wrote, 0 for none.
void check_gpu_status(u64 status);

}  // namespace wcodec
