// Work on numbered items by several threads, with results taken in order: outputs do not depend on the number of
// threads, and only a bounded number of results exists at a time.
#pragma once

#include <functional>
#include <memory>

#include "core/types.hpp"

namespace wcodec {

// 0 means as many as the machine runs at once.
unsigned thread_count(unsigned asked) noexcept;

struct ParallelLimits {
  unsigned threads = 0;  // see thread_count; with 1 everything runs on the calling thread
  // Sum of the costs of results that exist at a time, 0 for no bound; one always may. No more threads run than have the
  // costliest item each, because a thread keeps the scratch memory that its largest one has taken.
  u64 budget = 0;
};

// Calls produce(i) for every i in [0, count) on some thread and consume(i, result) on the calling thread, i rising. At
// most threads + 2 results exist, in production or waiting. What produce throws is thrown when its turn to be consumed
// comes, so the error reported is that of the lowest item; an exception from either stops all work and waits for it.
void ordered_parallel(u64 count, const ParallelLimits& limits, const std::function<u64(u64)>& cost,
                      const std::function<std::shared_ptr<void>(u64)>& produce,
                      const std::function<void(u64, void*)>& consume);

// The same for a type of result.
template <class Produce, class Consume>
void ordered_parallel(u64 count, const ParallelLimits& limits, const std::function<u64(u64)>& cost, Produce produce,
                      Consume consume) {
  using Result = decltype(produce(u64{0}));
  ordered_parallel(count, limits, cost,
                   std::function([&](u64 i) -> std::shared_ptr<void> { return std::make_shared<Result>(produce(i)); }),
                   std::function([&](u64 i, void* result) { consume(i, *static_cast<Result*>(result)); }));
}

}  // namespace wcodec
