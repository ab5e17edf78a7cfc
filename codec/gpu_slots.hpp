// A bounded number of places where records are on their way through a GPU, lent to threads one at a time.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "codec/gpu_memory.hpp"

namespace wcodec {

// One record at a time: page-locked memory, memory on the GPU, and a queue.
struct GpuSlot {
  GpuSlot(const GpuRuntime& runtime)
      : host(runtime), image(runtime), words(runtime), scratch(runtime), queue(runtime) {}

  GpuBuffer<GpuPlace::host> host;
  GpuBuffer<GpuPlace::gpu> image, words, scratch;
  u64 item = 0;          // what it was last used for
  bool is_busy = false;  // its queue may still be at work for `item`
  GpuQueue queue;        // waited for before the memory above goes
};

// Slots of one GPU. Those who borrow have selected it.
class GpuSlots {
 public:
  GpuSlots(const GpuRuntime& runtime, unsigned most) : runtime_(runtime), most_(most < 1 ? 1 : most) {
    idle_.reserve(most_);  // so that giving back never fails
  }

  // Gives the slot back at its end.
  class Lease {
   public:
    Lease(GpuSlots& from, std::unique_ptr<GpuSlot> slot) noexcept : from_(&from), slot_(std::move(slot)) {}
    ~Lease() {
      if (slot_ != nullptr) from_->give_back(std::move(slot_));
    }
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    GpuSlot* operator->() const noexcept { return slot_.get(); }
    GpuSlot& operator*() const noexcept { return *slot_; }

   private:
    GpuSlots* from_;
    std::unique_ptr<GpuSlot> slot_;
  };

  // The slot that has been idle longest; waits for one where all are lent. Throws GpuMemoryError where not even one
  // can be made.
  Lease borrow() {
    std::unique_lock lock(mutex_);
    while (true) {
      if (!idle_.empty() && (made_ == most_ || !idle_.front()->is_busy)) break;
      if (made_ < most_) {
        ++made_;
        try {
          return {*this, std::make_unique<GpuSlot>(runtime_)};
        } catch (const GpuMemoryError&) {
          --made_;
          if (made_ == 0) throw;
          most_ = made_;  // as many as there is memory for
          continue;
        } catch (...) {
          --made_;
          throw;
        }
      }
      returned_.wait(lock);
    }
    std::unique_ptr<GpuSlot> slot = std::move(idle_.front());
    idle_.erase(idle_.begin());
    return {*this, std::move(slot)};
  }

  // Those that are not lent; for the end, when all have come back.
  const std::vector<std::unique_ptr<GpuSlot>>& idle() const noexcept { return idle_; }

 private:
  void give_back(std::unique_ptr<GpuSlot> slot) noexcept {
    {
      const std::lock_guard lock(mutex_);
      idle_.push_back(std::move(slot));
    }
    returned_.notify_one();
  }

  const GpuRuntime& runtime_;
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<std::unique_ptr<GpuSlot>> idle_;  // the one idle longest first
  unsigned most_, made_ = 0;
};

}  // namespace wcodec
