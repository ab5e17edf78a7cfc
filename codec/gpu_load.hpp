// Tensors of a container to the memory of one or several GPUs: records are read and planned by threads, copied through
// page-locked memory and decoded on several queues, all at the same time. What the GPU has no decoder or no memory for
// is decoded by the CPU and copied.
#pragma once

#include <span>

#include "codec/checkpoint_codec.hpp"
#include "codec/container_reader.hpp"
#include "codec/gpu_runtime.hpp"

namespace wcodec {

// Where a tensor is to go: its values as read_rows gives them.
struct GpuTarget {
  std::size_t tensor;  // index into ContainerReader::tensors()
  int gpu;
  void* memory;  // of the caller, on that GPU; its beginning a multiple of 16
  u64 bytes;     // exactly TensorInfo::memory_bytes()
};

struct GpuLoadOptions {
  unsigned threads = 0;
  // Bound on the memory that each GPU has for records in flight, and main memory page-locked for it; two records are in
  // flight at least.
  u64 staging_bytes = u64{1} << 28;
  const GpuRuntime* gpu = nullptr;  // other than gpu_runtime(), for tests
  ProgressCallback progress;        // bytes are those decoded
};

struct GpuLoadStats {
  u64 tensors = 0;
  u64 record_bytes = 0;   // read from the file
  u64 decoded_bytes = 0;  // in the memory of GPUs
  u64 gpu_records = 0, cpu_records = 0;
  double seconds = 0;
  std::string note;  // the first reason why the CPU decoded; empty where it did not
};

// Returns when everything is there. Nothing else may use the memory meanwhile: what is queued on it by the caller has
// to have ended. Each record is checked against its checksum and its place, and its streams as they are decoded; the
// checksum of the decoded bytes is not computed on a GPU. Throws Error naming file and layer, and leaves what has been
// decoded until then; of layers that fail the one first in the order of `targets` is named, and where a GPU itself
// fails, one that was being decoded then.
GpuLoadStats load_to_gpu(const ContainerReader& container, std::span<const GpuTarget> targets,
                         const GpuLoadOptions& options = {});

// Divides tensors among GPUs by ranges: each gets consecutive ones, with about as many bytes as every other. The number
// of the GPU, from 0, for each tensor.
std::vector<int> split_among_gpus(std::span<const TensorInfo> tensors, int gpus);

}  // namespace wcodec
