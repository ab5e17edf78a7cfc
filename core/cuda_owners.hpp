// Owners of what CUDA hands out: an error is thrown where it happens. For sources that are built with CUDA only.
#pragma once

#include <cuda_runtime_api.h>

#include <utility>

#include "core/types.hpp"

namespace wcodec {

// Throws Error{limit} where device memory is short, otherwise Error{internal}: "copying to the GPU: " and CUDA's
// reason.
void check_cuda(cudaError_t error, const char* doing);

// Device memory, 256-byte aligned as cudaMalloc gives it.
class DeviceBytes {
 public:
  DeviceBytes() = default;
  explicit DeviceBytes(u64 size) : size_(size) {
    if (size > 0) check_cuda(cudaMalloc(reinterpret_cast<void**>(&data_), size), "allocating device memory");
  }
  explicit DeviceBytes(Bytes host) : DeviceBytes(host.size()) {
    if (size_ > 0) check_cuda(cudaMemcpy(data_, host.data(), size_, cudaMemcpyHostToDevice), "copying to the GPU");
  }
  ~DeviceBytes() { cudaFree(data_); }
  DeviceBytes(DeviceBytes&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  DeviceBytes& operator=(DeviceBytes&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  u8* data() const noexcept { return data_; }
  template <class T>
  T* as() const noexcept {
    return reinterpret_cast<T*>(data_);
  }
  u64 size() const noexcept { return size_; }
  void fill(int byte) const {
    if (size_ > 0) check_cuda(cudaMemset(data_, byte, size_), "filling device memory");
  }
  void read(void* to, u64 size) const {
    check_cuda(cudaMemcpy(to, data_, size, cudaMemcpyDeviceToHost), "copying from the GPU");
  }

 private:
  u8* data_ = nullptr;
  u64 size_ = 0;
};

// A moment in a stream.
class DeviceEvent {
 public:
  DeviceEvent() { check_cuda(cudaEventCreate(&event_), "creating an event"); }
  ~DeviceEvent() { cudaEventDestroy(event_); }
  DeviceEvent(const DeviceEvent&) = delete;
  DeviceEvent& operator=(const DeviceEvent&) = delete;
  void record(cudaStream_t stream) const { check_cuda(cudaEventRecord(event_, stream), "recording an event"); }
  // Waits for this one.
  double seconds_since(const DeviceEvent& begin) const {
    check_cuda(cudaEventSynchronize(event_), "waiting for what is timed");
    float ms = 0;
    check_cuda(cudaEventElapsedTime(&ms, begin.event_, event_), "reading a time");
    return 1e-3 * static_cast<double>(ms);
  }

 private:
  cudaEvent_t event_ = nullptr;
};

class DeviceStream {
 public:
  DeviceStream() { check_cuda(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "creating a stream"); }
  ~DeviceStream() { cudaStreamDestroy(stream_); }
  DeviceStream(const DeviceStream&) = delete;
  DeviceStream& operator=(const DeviceStream&) = delete;
  cudaStream_t get() const noexcept { return stream_; }
  void wait() const { check_cuda(cudaStreamSynchronize(stream_), "waiting for the GPU"); }

 private:
  cudaStream_t stream_ = nullptr;
};

}  // namespace wcodec
