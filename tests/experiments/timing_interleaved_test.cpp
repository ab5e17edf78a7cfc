#include "experiments/timing.hpp"

#include <gmock/gmock.h>

#include <map>
#include <stdexcept>

namespace wcodec {
namespace {

// A clock that only passes when a subject works, and a diary of who worked when.
struct Bench {
  double time = 0;
  std::string diary;
  std::map<std::size_t, TimedCell> done;
  std::map<std::size_t, std::string> failed;
};

class Subject : public TimingSubject {
 public:
  Subject(Bench& bench, char name, double seconds) : bench_(bench), name_(name), seconds_(seconds) {}
  void encode() override {
    bench_.diary += name_;
    bench_.time += seconds_;
    if (name_ == 'X' && ++passes_ == 3) throw std::runtime_error("third pass");
  }
  void decode() override { bench_.time += seconds_ / 2; }
  u64 symbol_bytes() const override { return 1000; }
  u64 coded_bytes() const override { return 900; }

 private:
  Bench& bench_;
  char name_;
  double seconds_;
  int passes_ = 0;
};

Bench time(const std::vector<std::pair<char, double>>& subjects, const TimingOptions& options) {
  Bench bench;
  TimingCallbacks callbacks;
  callbacks.begin = [](std::size_t) {};
  callbacks.done = [&](std::size_t cell, const TimedCell& timed, const ClockReading&) { bench.done[cell] = timed; };
  callbacks.failed = [&](std::size_t cell, const std::string& reason) { bench.failed[cell] = reason; };
  time_interleaved(
      subjects.size(),
      [&](std::size_t i) -> std::unique_ptr<TimingSubject> {
        if (subjects[i].first == '!') throw std::runtime_error("no round trip");
        return std::make_unique<Subject>(bench, subjects[i].first, subjects[i].second);
      },
      options, callbacks, [&] { return bench.time; });
  return bench;
}

TEST(Timing, InterleavesInRandomRoundsAfterWarmingUp) {
  const Bench bench = time({{'A', 0.5}, {'B', 0.25}, {'C', 0.125}}, {5, 2, 42, 1.0});
  ASSERT_EQ(bench.diary.size(), 7u * 3);
  bool orders_differ = false;
  for (std::size_t round = 0; round < 7; ++round) {
    std::string one = bench.diary.substr(3 * round, 3);
    orders_differ = orders_differ || one != bench.diary.substr(0, 3);
    std::sort(one.begin(), one.end());
    EXPECT_EQ(one, "ABC") << "round " << round;
  }
  EXPECT_TRUE(orders_differ);
  EXPECT_EQ(bench.done.at(0).encode_seconds, std::vector<double>(5, 0.5));
  EXPECT_EQ(bench.done.at(1).decode_seconds, std::vector<double>(5, 0.125));
  EXPECT_EQ(bench.done.at(2).symbol_bytes, 1000u);
  EXPECT_EQ(time({{'A', 0.5}, {'B', 0.25}, {'C', 0.125}}, {5, 2, 42, 1.0}).diary, bench.diary);
  EXPECT_NE(time({{'A', 0.5}, {'B', 0.25}, {'C', 0.125}}, {5, 2, 43, 1.0}).diary, bench.diary);
}

TEST(Timing, ASlowSubjectRunsOnce) {
  for (const int warmup : {0, 3}) {
    const Bench bench = time({{'A', 0.125}, {'S', 8.0}}, {4, warmup, 1, 1.0});
    EXPECT_EQ(bench.done.at(1).encode_seconds, std::vector<double>{8.0});
    EXPECT_EQ(std::count(bench.diary.begin(), bench.diary.end(), 'S'), 1);
    EXPECT_EQ(bench.done.at(0).encode_seconds.size(), 4u);
  }
}

TEST(Timing, AFailureLeavesTheOthers) {
  const Bench bench = time({{'!', 0}, {'X', 0.125}, {'B', 0.125}}, {6, 1, 1, 1.0});
  EXPECT_EQ(bench.failed.at(0), "no round trip");
  EXPECT_EQ(bench.failed.at(1), "third pass");
  EXPECT_FALSE(bench.done.contains(1));
  EXPECT_EQ(bench.done.at(2).encode_seconds.size(), 6u);
}

// A device tells its own times and clock.
class DeviceSubject : public TimingSubject {
 public:
  void encode() override {}
  void decode() override { ++passes_; }
  u64 symbol_bytes() const override { return 1000; }
  u64 coded_bytes() const override { return 900; }
  DeviceTime device_time() const override {
    return {kNotTimed, 0.25, 0.5, passes_ == 2 ? 1500.0 : 1980.0, passes_ == 2};
  }
  int threads() const override { return 7; }

 private:
  int passes_ = 0;
};

TEST(Timing, ADeviceHasItsOwnTimesAndClock) {
  double now = 0;
  TimedCell timed;
  ClockReading clock;
  TimingCallbacks callbacks;
  callbacks.begin = [](std::size_t) {};
  callbacks.done = [&](std::size_t, const TimedCell& found, const ClockReading& read) {
    timed = found;
    clock = read;
  };
  callbacks.failed = [](std::size_t, const std::string& reason) { ADD_FAILURE() << reason; };
  time_interleaved(
      1, [](std::size_t) { return std::make_unique<DeviceSubject>(); }, {3, 1, 0, 100.0}, callbacks,
      [&] { return now += 2; });
  EXPECT_EQ(timed.decode_seconds, (std::vector<double>{0.25, 0.25, 0.25}));
  EXPECT_EQ(timed.wall_seconds, (std::vector<double>{0.5, 0.5, 0.5}));
  EXPECT_EQ(timed.encode_seconds, (std::vector<double>{2, 2, 2}));
  EXPECT_EQ(timed.threads, 7);
  EXPECT_EQ(clock.after, 1980);
  EXPECT_TRUE(clock.throttled());  // in one of the passes
}

}  // namespace
}  // namespace wcodec
