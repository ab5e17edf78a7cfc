#include "codec/record_decoder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "codec/gpu_slots.hpp"
#include "core/error.hpp"

namespace wcodec {
namespace {

class CpuDecoder : public RecordDecoder {
 public:
  QuantizedTensor decode(Bytes record, u64 max_weights) override {
    ++records_;
    return decode_tensor(record, max_weights);
  }
  QuantizedTensor decode_into(Bytes record, MutBytes words) override {
    ++records_;
    return decode_tensor_into(record, words);
  }
  DecoderCounts counts() const override { return {0, records_, {}}; }

 private:
  std::atomic<u64> records_ = 0;
};

class GpuDecoder : public RecordDecoder {
 public:
  GpuDecoder(int gpu, unsigned slots, const GpuRuntime& runtime)
      : runtime_(runtime), gpu_(gpu), slots_(runtime, slots) {
    gpu_check(runtime.select(gpu), "choosing it");
  }
  ~GpuDecoder() override { runtime_.select(gpu_); }

  QuantizedTensor decode(Bytes record, u64 max_weights) override {
    return on_gpu_or_cpu(
        record, max_weights,
        [&](QuantizedTensor& tensor, const u8* words, u64 size) { tensor.words.assign(words, words + size); },
        [&] { return cpu_.decode(record, max_weights); });
  }

  QuantizedTensor decode_into(Bytes record, MutBytes out) override {
    return on_gpu_or_cpu(
        record, std::max<u64>(out.size(), 1),
        [&](QuantizedTensor&, const u8* words, u64 size) {
          if (size != out.size())
            throw Error(ErrorKind::usage, fmt::format("the record's elements take {} bytes, not {}", size, out.size()));
          if (size != 0) std::memcpy(out.data(), words, size);
        },
        [&] { return cpu_.decode_into(record, out); });
  }

  DecoderCounts counts() const override {
    const std::lock_guard lock(mutex_);
    return {gpu_records_, cpu_.counts().cpu_records, note_};
  }

 private:
  template <class Take, class OnCpu>
  QuantizedTensor on_gpu_or_cpu(Bytes record, u64 max_weights, Take take, OnCpu on_cpu) {
    try {
      const GpuPlan plan = plan_gpu_decode(record, max_weights);
      if (plan.weights() == 0) return on_cpu();  // nothing to decode, but all to check
      QuantizedTensor tensor{plan.rows, plan.cols, plan.format, {}, plan.scales};
      run(plan, [&](const u8* words) { take(tensor, words, plan.words_size()); });
      const std::lock_guard lock(mutex_);
      ++gpu_records_;
      return tensor;
    } catch (const GpuMemoryError& error) {
      remember(error.what());
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::unsupported) throw;
      remember(error.what());
    }
    return on_cpu();
  }

  template <class Take>
  void run(const GpuPlan& plan, Take take) {
    gpu_check(runtime_.select(gpu_), "choosing it");
    const GpuSlots::Lease slot = slots_.borrow();
    // A record that failed while it was queued has left its work behind.
    if (std::exchange(slot->is_busy, true)) slot->queue.wait();
    // Behind the words the status, so that one copy brings both back.
    const u64 status_at = (plan.words_size() + kGpuAlignment - 1) / kGpuAlignment * kGpuAlignment;
    slot->host.reserve(std::max<u64>(plan.image.size(), status_at + sizeof(u64)));
    slot->image.reserve(plan.image.size());
    slot->words.reserve(status_at + sizeof(u64));
    if (plan.scratch_size() > 0) slot->scratch.reserve(plan.scratch_size());
    CUstream_st* const queue = slot->queue.get();
    std::memcpy(slot->host.data(), plan.image.data(), plan.image.size());
    gpu_check(runtime_.to_gpu(slot->image.data(), slot->host.data(), plan.image.size(), queue), "copying to it");
    u8* const status = slot->words.data() + status_at;
    gpu_check(runtime_.clear(status, sizeof(u64), queue), "clearing its memory");
    runtime_.decode(plan, slot->image.data(), slot->words.data(), slot->scratch.data(), reinterpret_cast<u64*>(status),
                    queue);
    gpu_check(runtime_.to_host(slot->host.data(), slot->words.data(), status_at + sizeof(u64), queue),
              "copying from it");
    slot->queue.wait();
    slot->is_busy = false;
    u64 reported = 0;
    std::memcpy(&reported, slot->host.data() + status_at, sizeof reported);
    check_gpu_status(reported);
    take(slot->host.data());
  }

  void remember(const char* why) {
    const std::lock_guard lock(mutex_);
    if (note_.empty()) note_ = fmt::format("the CPU decoded some records: {}", why);
  }

  const GpuRuntime& runtime_;
  const int gpu_;
  CpuDecoder cpu_;
  mutable std::mutex mutex_;
  u64 gpu_records_ = 0;
  std::string note_;
  GpuSlots slots_;
};

}  // namespace

std::unique_ptr<RecordDecoder> make_record_decoder(const Device& device, unsigned slots, const GpuRuntime& runtime) {
  if (!device.is_gpu()) return std::make_unique<CpuDecoder>();
  return std::make_unique<GpuDecoder>(device.gpu, slots, runtime);
}

}  // namespace wcodec
