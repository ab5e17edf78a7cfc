#include "codec/gpu_runtime.hpp"

#include <cuda_runtime.h>

#include "codec/gpu_decode.hpp"

namespace wcodec {
namespace {

__global__ void probe() {}

GpuResult result(cudaError_t error) noexcept {
  if (error == cudaSuccess) return {};
  cudaGetLastError();  // otherwise the next launch seems to fail with it
  return {error == cudaErrorMemoryAllocation ? GpuFailure::out_of_memory : GpuFailure::fault,
          cudaGetErrorString(error)};
}

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

int count(std::string& why) {
  int gpus = 0;
  const cudaError_t error = cudaGetDeviceCount(&gpus);
  cudaGetLastError();
  if (error == cudaSuccess && gpus > 0) return gpus;
  int driver = 0;
  if (cudaDriverGetVersion(&driver) != cudaSuccess) cudaGetLastError();
  if (error == cudaErrorInsufficientDriver || driver == 0) {
    why = driver == 0 ? "no NVIDIA driver is loaded"
                      : "the NVIDIA driver knows CUDA " + version_text(driver) + " and this build needs " +
                            version_text(CUDART_VERSION) + ": update the driver";
  } else {
    why = error == cudaSuccess || error == cudaErrorNoDevice ? "there is no NVIDIA GPU that this process may use"
                                                             : cudaGetErrorString(error);
  }
  return 0;
}

GpuInfo describe(int gpu) {
  GpuInfo out;
  cudaDeviceProp properties{};
  cudaError_t error = cudaGetDeviceProperties(&properties, gpu);
  if (error == cudaSuccess) {
    out.name = properties.name;
    out.memory_bytes = properties.totalGlobalMem;
    out.compute_major = properties.major;
    out.compute_minor = properties.minor;
    out.multiprocessors = properties.multiProcessorCount;
    int before = 0;
    cudaFuncAttributes attributes{};
    error = cudaGetDevice(&before);
    if (error == cudaSuccess) error = cudaSetDevice(gpu);
    if (error == cudaSuccess) error = cudaFuncGetAttributes(&attributes, probe);
    if (error != cudaErrorNoKernelImageForDevice && error != cudaErrorInvalidDeviceFunction) {
      if (error != cudaSuccess) out.why_not = cudaGetErrorString(error);
    } else {
      out.why_not = "this build has no kernels for compute capability " + std::to_string(properties.major) + "." +
                    std::to_string(properties.minor);
    }
    cudaSetDevice(before);
  } else {
    out.why_not = cudaGetErrorString(error);
  }
  cudaGetLastError();
  return out;
}

GpuResult select(int gpu) noexcept { return result(cudaSetDevice(gpu)); }

GpuResult free_memory(u64& bytes) noexcept {
  std::size_t available = 0, total = 0;
  const GpuResult said = result(cudaMemGetInfo(&available, &total));
  bytes = available;
  return said;
}

GpuResult allocate(void** memory, u64 bytes) noexcept { return result(cudaMalloc(memory, bytes)); }
void release(void* memory) noexcept { result(cudaFree(memory)); }
GpuResult allocate_host(void** memory, u64 bytes) noexcept {
  return result(cudaHostAlloc(memory, bytes, cudaHostAllocPortable));
}
void release_host(void* memory) noexcept { result(cudaFreeHost(memory)); }

GpuResult create_queue(CUstream_st** queue) noexcept {
  return result(cudaStreamCreateWithFlags(queue, cudaStreamNonBlocking));
}
void destroy_queue(CUstream_st* queue) noexcept { result(cudaStreamDestroy(queue)); }
GpuResult wait(CUstream_st* queue) noexcept { return result(cudaStreamSynchronize(queue)); }

GpuResult to_gpu(void* to, const void* from, u64 bytes, CUstream_st* queue) noexcept {
  return result(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, queue));
}
GpuResult to_host(void* to, const void* from, u64 bytes, CUstream_st* queue) noexcept {
  return result(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, queue));
}
GpuResult within_gpu(void* to, const void* from, u64 bytes, CUstream_st* queue) noexcept {
  return result(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, queue));
}
GpuResult clear(void* memory, u64 bytes, CUstream_st* queue) noexcept {
  return result(cudaMemsetAsync(memory, 0, bytes, queue));
}

}  // namespace

const GpuRuntime& gpu_runtime() noexcept {
  static constexpr GpuRuntime kCuda = {count,         describe,     select,       free_memory,   allocate, release,
                                       allocate_host, release_host, create_queue, destroy_queue, wait,     to_gpu,
                                       to_host,       within_gpu,   clear,        gpu_decode};
  return kCuda;
}

}  // namespace wcodec
