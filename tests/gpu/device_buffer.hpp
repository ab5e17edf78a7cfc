// Device memory of exactly the size asked for, so that a checker sees every access beyond it.
#pragma once

#include <cuda_runtime_api.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "core/types.hpp"

namespace wcodec {

inline void cuda_check(cudaError_t error) {
  if (error != cudaSuccess) throw std::runtime_error(cudaGetErrorString(error));
}

class DeviceBuffer {
 public:
  explicit DeviceBuffer(std::size_t size) : size_(size) {
    if (size > 0) cuda_check(cudaMalloc(&data_, size));
  }
  explicit DeviceBuffer(Bytes bytes) : DeviceBuffer(bytes.size()) {
    if (size_ > 0) cuda_check(cudaMemcpy(data_, bytes.data(), size_, cudaMemcpyHostToDevice));
  }
  ~DeviceBuffer() { cudaFree(data_); }
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;
  DeviceBuffer(DeviceBuffer&& other) noexcept : data_(other.data_), size_(other.size_) { other.data_ = nullptr; }

  u8* data() const noexcept { return static_cast<u8*>(data_); }
  void fill(int byte) const {
    if (size_ > 0) cuda_check(cudaMemset(data_, byte, size_));
  }
  std::vector<u8> read() const {
    std::vector<u8> out(size_);
    if (size_ > 0) cuda_check(cudaMemcpy(out.data(), data_, size_, cudaMemcpyDeviceToHost));
    return out;
  }

 private:
  void* data_ = nullptr;
  std::size_t size_;
};

}  // namespace wcodec
