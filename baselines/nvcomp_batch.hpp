// Compressing and decompressing device memory with nvCOMP, in chunks: buffers of ours around its batched calls. Built
// with CUDA only.
#pragma once

#include <memory>
#include <vector>

#include "baselines/nvcomp_spec.hpp"

namespace wcodec {

// A buffer compressed chunk by chunk, in device memory.
struct NvcompStream {
  u64 size = 0;                   // of the original
  std::vector<u64> chunk_bytes;   // host: compressed size of each chunk
  std::vector<u64> chunk_places;  // host: where each begins in `bytes`, at what the decoder asks for
  u64 bytes_size = 0;
  std::shared_ptr<u8> bytes;         // device
  u64 coded_bytes() const noexcept;  // the chunks, and 4 bytes for the size of each
};

class NvcompCoder {
 public:
  // Throws as NvcompLibrary does.
  explicit NvcompCoder(const NvcompSpec& spec);

  u64 largest_chunk() const;  // bytes that a compressed chunk may take

  // Compresses `size` bytes of device memory and packs the chunks. Throws Error{unsupported} where nvCOMP refuses.
  NvcompStream compress(const u8* from, u64 size) const;
  // A stream of these compressed chunks, one after another in host memory. Throws Error{corrupt} where sizes disagree.
  NvcompStream load(u64 size, const std::vector<u64>& chunk_bytes, Bytes chunks) const;

  // All that a call needs, prepared: calls of it neither allocate nor wait, and may be captured in a graph.
  class Job;
  // Compressing the same bytes again and again, for timing: what it writes is not packed.
  std::unique_ptr<Job> prepare_compress(const u8* from, u64 size) const;
  // `bytes` holds stream.bytes or a copy of it.
  std::unique_ptr<Job> prepare_decompress(const NvcompStream& stream, const u8* bytes, u8* to) const;

 private:
  NvcompSpec spec_;
  NvcompAlgorithm call_;
  NvcompAlignments from_, to_;  // of decompressing, compressing
};

class NvcompCoder::Job {
 public:
  virtual ~Job() = default;
  virtual void launch(CUstream_st* stream) const = 0;
  // Waits and throws Error{corrupt} with nvCOMP's reason if a chunk failed in the last launch.
  virtual void check() const = 0;
};

}  // namespace wcodec
