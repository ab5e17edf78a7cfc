#include "core/ordered_parallel.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace wcodec {
namespace {

struct Slot {
  std::shared_ptr<void> result;
  std::exception_ptr error;
  u64 cost = 0;
  bool done = false;
};

// Items [first, first + slots) are under way or waiting to be consumed.
class Pipeline {
 public:
  Pipeline(u64 count, unsigned threads, u64 budget, const std::function<u64(u64)>& cost,
           const std::function<std::shared_ptr<void>(u64)>& produce)
      : count_(count), most_(std::size_t{threads} + 2), budget_(budget), cost_(cost), produce_(produce) {
    try {
      for (unsigned t = 0; t < threads; ++t) threads_.emplace_back([this] { work(); });
    } catch (const std::system_error&) {
      // Fewer threads than asked for do as well, as long as there is one.
      if (threads_.empty()) throw;
    }
  }
  ~Pipeline() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    room_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  // Waits for the next item; its result.
  std::shared_ptr<void> take() {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [&] { return !slots_.empty() && slots_.front().done; });
    if (slots_.front().error) std::rethrow_exception(slots_.front().error);
    return std::move(slots_.front().result);
  }
  // The item taken has been consumed: only now may another take its place.
  void release() {
    {
      const std::lock_guard lock(mutex_);
      in_use_ -= slots_.front().cost;
      slots_.pop_front();
      ++first_;
    }
    room_.notify_all();
  }

 private:
  bool has_room() const {
    return slots_.empty() || (slots_.size() < most_ && (budget_ == 0 || in_use_ + cost_(next_) <= budget_));
  }
  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      room_.wait(lock, [&] { return stopped_ || next_ == count_ || has_room(); });
      if (stopped_ || next_ == count_) return;
      const u64 item = next_++;
      slots_.emplace_back().cost = cost_(item);
      in_use_ += slots_.back().cost;
      lock.unlock();
      std::shared_ptr<void> result;
      std::exception_ptr error;
      try {
        result = produce_(item);
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      Slot& slot = slots_[item - first_];
      slot.result = std::move(result);
      slot.error = error;
      slot.done = true;
      // Nothing behind a failed item will be asked for.
      if (error) stopped_ = true;
      ready_.notify_one();
      if (stopped_) room_.notify_all();
    }
  }

  const u64 count_;
  const std::size_t most_;
  const u64 budget_;
  const std::function<u64(u64)>& cost_;
  const std::function<std::shared_ptr<void>(u64)>& produce_;
  std::mutex mutex_;
  std::condition_variable room_, ready_;
  std::deque<Slot> slots_;
  u64 first_ = 0, next_ = 0, in_use_ = 0;
  bool stopped_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace

unsigned thread_count(unsigned asked) noexcept {
  return asked != 0 ? asked : std::max(1u, std::thread::hardware_concurrency());
}

void ordered_parallel(u64 count, const ParallelLimits& limits, const std::function<u64(u64)>& cost,
                      const std::function<std::shared_ptr<void>(u64)>& produce,
                      const std::function<void(u64, void*)>& consume) {
  auto threads = static_cast<unsigned>(std::min<u64>(thread_count(limits.threads), count));
  if (limits.budget != 0) {
    u64 largest = 1;
    for (u64 i = 0; i < count; ++i) largest = std::max(largest, cost(i));
    threads = static_cast<unsigned>(std::min<u64>(threads, limits.budget / largest));
  }
  if (threads <= 1) {
    for (u64 i = 0; i < count; ++i) consume(i, produce(i).get());
    return;
  }
  Pipeline pipeline(count, threads, limits.budget, cost, produce);
  for (u64 i = 0; i < count; ++i) {
    // Gone before another takes its place.
    consume(i, pipeline.take().get());
    pipeline.release();
  }
}

}  // namespace wcodec
