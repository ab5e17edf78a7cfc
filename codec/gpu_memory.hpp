// Memory and queues of a GPU that release themselves, so that nothing stays behind after a failure. Everything is used
// on the GPU that it was made on: see GpuRuntime::select.
#pragma once

#include <fmt/format.h>

#include <utility>

#include "codec/gpu_runtime.hpp"
#include "core/error.hpp"

namespace wcodec {

// The caller may do without that memory.
class GpuMemoryError : public Error {
 public:
  using Error::Error;
};

// Throws GpuMemoryError{limit} or Error{internal}; `what` was to be done.
inline void gpu_check(const GpuResult& result, sv what) {
  if (result.failure == GpuFailure::none) return;
  const std::string message = fmt::format("GPU: {}: {}", what, result.text);
  if (result.failure == GpuFailure::out_of_memory) throw GpuMemoryError(ErrorKind::limit, message);
  throw Error(ErrorKind::internal, message);
}

enum class GpuPlace : u8 { gpu, host };

// Grows, never shrinks; what it held is lost when it grows.
template <GpuPlace place>
class GpuBuffer {
 public:
  explicit GpuBuffer(const GpuRuntime& runtime) noexcept : runtime_(&runtime) {}
  ~GpuBuffer() { free(); }
  GpuBuffer(const GpuBuffer&) = delete;
  GpuBuffer& operator=(const GpuBuffer&) = delete;

  // Makes it `bytes` long at least; nothing on the GPU may be using it.
  void reserve(u64 bytes) {
    if (bytes <= capacity_) return;
    free();
    void* memory = nullptr;
    if constexpr (place == GpuPlace::gpu) {
      gpu_check(runtime_->allocate(&memory, bytes), fmt::format("{} bytes of its memory", bytes));
    } else {
      gpu_check(runtime_->allocate_host(&memory, bytes), fmt::format("{} bytes of page-locked memory", bytes));
    }
    memory_ = static_cast<u8*>(memory);
    capacity_ = bytes;
  }
  u8* data() const noexcept { return memory_; }
  u64 capacity() const noexcept { return capacity_; }
  void free() noexcept {
    if (memory_ == nullptr) return;
    if constexpr (place == GpuPlace::gpu) {
      runtime_->release(memory_);
    } else {
      runtime_->release_host(memory_);
    }
    memory_ = nullptr;
    capacity_ = 0;
  }

 private:
  const GpuRuntime* runtime_;
  u8* memory_ = nullptr;
  u64 capacity_ = 0;
};

// A CUDA stream. What is queued has been done before it goes, whatever becomes of it.
class GpuQueue {
 public:
  explicit GpuQueue(const GpuRuntime& runtime) : runtime_(&runtime) {
    gpu_check(runtime.create_queue(&queue_), "a stream");
  }
  ~GpuQueue() {
    runtime_->wait(queue_);
    runtime_->destroy_queue(queue_);
  }
  GpuQueue(const GpuQueue&) = delete;
  GpuQueue& operator=(const GpuQueue&) = delete;

  CUstream_st* get() const noexcept { return queue_; }
  void wait() const { gpu_check(runtime_->wait(queue_), "decoding"); }

 private:
  const GpuRuntime* runtime_;
  CUstream_st* queue_ = nullptr;
};

}  // namespace wcodec
