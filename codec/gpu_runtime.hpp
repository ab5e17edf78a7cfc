// What the codec uses of a GPU, as a table of functions: what is above it (gpu_memory.hpp, gpu_records.hpp,
// gpu_load.hpp) is the same in a build without CUDA and on a machine without a GPU, and a test can put a table there
// whose functions fail.
#pragma once

#include <string>

#include "codec/gpu_plan.hpp"

struct CUstream_st;  // of cudaStream_t

namespace wcodec {

enum class GpuFailure : u8 {
  none,
  out_of_memory,  // what is in use stays usable
  fault           // a kernel failed, or something that the runtime does not come back from
};

struct GpuResult {
  GpuFailure failure = GpuFailure::none;
  const char* text = "";  // of the runtime, static
};

struct GpuInfo {
  std::string name;
  u64 memory_bytes = 0;
  int compute_major = 0, compute_minor = 0, multiprocessors = 0;
  std::string why_not;  // why the kernels of this build do not run there; empty where they do
};

// Functions that take no GPU work on the one that `select` has chosen for the calling thread.
struct GpuRuntime {
  // GPUs that the process can see. Where there are none `why` becomes a sentence: no driver, too old a driver, a build
  // without CUDA.
  int (*count)(std::string& why);
  GpuInfo (*describe)(int gpu);
  GpuResult (*select)(int gpu) noexcept;
  GpuResult (*free_memory)(u64& bytes) noexcept;
  GpuResult (*allocate)(void** memory, u64 bytes) noexcept;  // on the GPU
  void (*release)(void* memory) noexcept;
  GpuResult (*allocate_host)(void** memory, u64 bytes) noexcept;  // page-locked, for copies that run beside other work
  void (*release_host)(void* memory) noexcept;
  GpuResult (*create_queue)(CUstream_st** queue) noexcept;
  void (*destroy_queue)(CUstream_st* queue) noexcept;
  GpuResult (*wait)(CUstream_st* queue) noexcept;  // until all that is queued there has been done
  GpuResult (*to_gpu)(void* to, const void* from, u64 bytes, CUstream_st* queue) noexcept;
  GpuResult (*to_host)(void* to, const void* from, u64 bytes, CUstream_st* queue) noexcept;
  GpuResult (*within_gpu)(void* to, const void* from, u64 bytes, CUstream_st* queue) noexcept;
  GpuResult (*clear)(void* memory, u64 bytes, CUstream_st* queue) noexcept;
  // gpu_decode.hpp. Throws as that does.
  void (*decode)(const GpuPlan& plan, const u8* image, u8* words, u8* scratch, u64* status, CUstream_st* queue);
};

// That of CUDA; in a build without it one that counts no GPU and is not to be asked for anything else.
const GpuRuntime& gpu_runtime() noexcept;

}  // namespace wcodec
