// A GPU for tests where there is none: its memory is main memory, it decodes stored and constant planes, and any of its
// functions fails when it is told to. One process has one of it.
#pragma once

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <string>

#include "codec/gpu_runtime.hpp"
#include "core/error.hpp"

namespace wcodec {

struct FakeGpu {
  int gpus = 1;
  std::string why = "no NVIDIA driver is loaded";
  std::string why_not;               // of every GPU's description
  std::atomic<int> allocations{-1};  // that succeed before the others fail; −1: all do
  std::atomic<int> host_allocations{-1};
  std::atomic<int> queues{-1};
  std::atomic<int> launches{-1};
  std::atomic<int> waits{-1};
  std::atomic<int> copies{-1};
  std::atomic<u64> status{0};  // what each launch reports
  std::atomic<i64> live{0};    // allocations and queues that have not been given back
  std::atomic<u64> decoded{0};
  std::atomic<u64> on_gpu[8] = {};

  static FakeGpu& get() {
    static FakeGpu fake;
    return fake;
  }
  static void reset() {
    FakeGpu& f = get();
    f.gpus = 1;
    f.why = "no NVIDIA driver is loaded";
    f.why_not.clear();
    f.allocations = f.host_allocations = f.queues = f.launches = f.waits = f.copies = -1;
    f.status = f.decoded = 0;
    f.live = 0;
    for (auto& count : f.on_gpu) count = 0;
  }
  // Whether this call is to fail.
  static bool fails(std::atomic<int>& left) { return left >= 0 && left.fetch_sub(1) <= 0 ? (left = 0, true) : false; }

  static int& selected() {
    thread_local int gpu = -1;
    return gpu;
  }
  static GpuResult memory(void** memory, u64 bytes, std::atomic<int>& left) {
    if (fails(left)) return {GpuFailure::out_of_memory, "out of memory"};
    *memory = std::aligned_alloc(64, (bytes + 63) / 64 * 64);
    ++get().live;
    return {};
  }
  static void give_back(void* memory) noexcept {
    std::free(memory);
    --get().live;
  }

  static void decode_plane(const GpuStream& stream, const u8* image, u8* out) {
    for (u64 i = 0; i < stream.count; ++i) {
      if (stream.code == GpuCode::constant) {
        out[i] = stream.constant;
        continue;
      }
      const u64 bit = i * stream.bits;
      const u32 two = image[stream.bytes + bit / 8] | image[stream.bytes + bit / 8 + 1] << 8;
      out[i] = image[stream.map + (two >> bit % 8 & ((1u << stream.bits) - 1))];
    }
  }

  // Words of one plane; what the kernels do with others is not what is tested with this.
  static void decode(const GpuPlan& plan, const u8* image, u8* words, u8*, u64* status, CUstream_st*) {
    FakeGpu& f = get();
    if (fails(f.launches)) throw Error(ErrorKind::internal, "GPU: unspecified launch failure");
    if (plan.streams.size() != 1) throw Error(ErrorKind::unsupported, "the fake GPU decodes words of one plane");
    const GpuCode code = plan.streams[0].code;
    if (code != GpuCode::stored && code != GpuCode::constant)
      throw Error(ErrorKind::unsupported, "the fake GPU decodes stored planes");
    decode_plane(plan.streams[0], image, words);
    *status = f.status;
    ++f.decoded;
    ++f.on_gpu[selected()];
  }

  static const GpuRuntime& runtime() {
    static const GpuRuntime kFake = {
        .count =
            [](std::string& why) {
              if (get().gpus == 0) why = get().why;
              return get().gpus;
            },
        .describe =
            [](int) {
              GpuInfo info;
              info.name = "Fake GPU";
              info.memory_bytes = u64{1} << 30;
              info.compute_major = 9;
              info.multiprocessors = 1;
              info.why_not = get().why_not;
              return info;
            },
        .select = [](int gpu) noexcept -> GpuResult {
          selected() = gpu;
          return {};
        },
        .free_memory = [](u64& bytes) noexcept -> GpuResult {
          bytes = u64{1} << 30;
          return {};
        },
        .allocate = [](void** to, u64 bytes) noexcept { return memory(to, bytes, get().allocations); },
        .release = [](void* from) noexcept { give_back(from); },
        .allocate_host = [](void** to, u64 bytes) noexcept { return memory(to, bytes, get().host_allocations); },
        .release_host = [](void* from) noexcept { give_back(from); },
        .create_queue = [](CUstream_st** queue) noexcept -> GpuResult {
          void* at = nullptr;
          const GpuResult result = memory(&at, 1, get().queues);
          *queue = static_cast<CUstream_st*>(at);
          return result;
        },
        .destroy_queue = [](CUstream_st* queue) noexcept { give_back(queue); },
        .wait = [](CUstream_st*) noexcept -> GpuResult {
          if (fails(get().waits)) return {GpuFailure::fault, "an illegal memory access was encountered"};
          return {};
        },
        .to_gpu = [](void* to, const void* from, u64 bytes, CUstream_st*) noexcept { return copy(to, from, bytes); },
        .to_host = [](void* to, const void* from, u64 bytes, CUstream_st*) noexcept { return copy(to, from, bytes); },
        .within_gpu = [](void* to, const void* from, u64 bytes,
                         CUstream_st*) noexcept { return copy(to, from, bytes); },
        .clear = [](void* at, u64 bytes, CUstream_st*) noexcept -> GpuResult {
          std::memset(at, 0, bytes);
          return {};
        },
        .decode = &FakeGpu::decode};
    return kFake;
  }

 private:
  static GpuResult copy(void* to, const void* from, u64 bytes) noexcept {
    if (fails(get().copies)) return {GpuFailure::fault, "unspecified launch failure"};
    std::memcpy(to, from, bytes);
    return {};
  }
};

}  // namespace wcodec
