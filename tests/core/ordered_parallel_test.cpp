#include "core/ordered_parallel.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

namespace wcodec {
namespace {

u64 one(u64) { return 1; }

TEST(OrderedParallel, ConsumesInOrderWhateverTheNumberOfThreads) {
  for (const unsigned threads : {1u, 2u, 7u}) {
    std::vector<u64> seen;
    ordered_parallel(
        200, {threads, 0}, one,
        [](u64 i) {
          if (i % 13 == 0) std::this_thread::sleep_for(std::chrono::microseconds(300));
          return i * i;
        },
        [&](u64 i, u64& square) {
          EXPECT_EQ(square, i * i);
          seen.push_back(i);
        });
    ASSERT_EQ(seen.size(), 200u);
    for (u64 i = 0; i < 200; ++i) EXPECT_EQ(seen[i], i);
  }
}

TEST(OrderedParallel, HoldsNoMoreResultsThanPromised) {
  // A result lives from the start of its production to the end of its consumption.
  for (const u64 budget : {u64{0}, u64{25}, u64{1}}) {
    std::atomic<int> alive{0}, most{0};
    const auto begin = [&] {
      const int now = ++alive;
      for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
      }
    };
    ordered_parallel(
        100, {4, budget}, [](u64) { return u64{10}; },
        [&](u64 i) {
          begin();
          return i;
        },
        [&](u64, u64&) {
          std::this_thread::sleep_for(std::chrono::microseconds(100));
          --alive;
        });
    EXPECT_LE(most, budget == 0 ? 6 : budget == 25 ? 2 : 1) << budget;
  }
}

TEST(OrderedParallel, ReportsTheLowestFailureAndStops) {
  for (const unsigned threads : {1u, 4u}) {
    std::atomic<u64> produced{0};
    u64 consumed = 0;
    try {
      ordered_parallel(
          1000, {threads, 0}, one,
          [&](u64 i) {
            ++produced;
            if (i == 20) std::this_thread::sleep_for(std::chrono::milliseconds(5));
            if (i >= 20) throw std::runtime_error(std::to_string(i));
            return i;
          },
          [&](u64, u64&) { ++consumed; });
      ADD_FAILURE() << "nothing was thrown";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "20");
    }
    EXPECT_EQ(consumed, 20u);
    EXPECT_LT(produced, 30u);
  }
}

TEST(OrderedParallel, AConsumerMayStopIt) {
  std::atomic<u64> produced{0};
  EXPECT_THROW(ordered_parallel(
                   1000, {3, 0}, one, [&](u64 i) { return ++produced, i; },
                   [](u64 i, u64&) {
                     if (i == 5) throw std::runtime_error("enough");
                   }),
               std::runtime_error);
  EXPECT_LT(produced, 20u);
}

}  // namespace
}  // namespace wcodec
