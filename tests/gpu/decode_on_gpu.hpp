// A record decoded on the GPU, for tests: status checked, every word written over a pattern.
#pragma once

#include <cstring>

#include "codec/gpu_decode.hpp"
#include "tests/gpu/device_buffer.hpp"

namespace wcodec {

// Throws what check_gpu_status throws.
inline std::vector<u8> decode_on_gpu(const GpuPlan& plan) {
  const DeviceBuffer image{Bytes(plan.image)}, words(plan.words_size()), scratch(plan.scratch_size()), status(8);
  words.fill(0xa5);
  scratch.fill(0x5a);
  status.fill(0);
  gpu_decode(plan, image.data(), words.data(), scratch.data(), reinterpret_cast<u64*>(status.data()), nullptr);
  cuda_check(cudaDeviceSynchronize());
  u64 reported;
  std::memcpy(&reported, status.read().data(), 8);
  check_gpu_status(reported);
  return words.read();
}

}  // namespace wcodec
