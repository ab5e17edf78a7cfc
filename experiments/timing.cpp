#include "experiments/timing.hpp"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <numeric>

#include "core/philox.hpp"

namespace wcodec {
namespace {

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Clock of the processor this thread is on.
double clock_mhz() {
  const int processor = ::sched_getcpu();
  std::ifstream scaling(fmt::format("/sys/devices/system/cpu/cpu{}/cpufreq/scaling_cur_freq", processor));
  if (double khz = 0; scaling >> khz) return khz / 1000;
  std::ifstream info("/proc/cpuinfo");
  std::string line;
  for (int seen = -1; std::getline(info, line);) {
    if (line.rfind("processor", 0) == 0) ++seen;
    if (seen == processor && line.rfind("cpu MHz", 0) == 0) {
      return std::strtod(line.c_str() + line.find(':') + 1, nullptr);
    }
  }
  return std::numeric_limits<double>::quiet_NaN();
}

struct Subject {
  std::size_t cell;
  std::unique_ptr<TimingSubject> codec;
  TimedCell timed;
  bool settled = false;  // failed, or too slow for another round
  ClockReading clock = {};
  bool has_own_clock = false;  // the device's
};

}  // namespace

void time_interleaved(std::size_t count, const std::function<std::unique_ptr<TimingSubject>(std::size_t)>& make,
                      const TimingOptions& options, const TimingCallbacks& callbacks,
                      const std::function<double()>& now) {
  const auto clock = now ? now : steady_seconds;
  std::vector<Subject> subjects;
  const auto guarded = [&](std::size_t cell, auto work) {
    callbacks.begin(cell);
    try {
      work();
      return true;
    } catch (const std::exception& error) {
      callbacks.failed(cell, error.what());
      return false;
    }
  };
  for (std::size_t cell = 0; cell < count; ++cell) {
    guarded(cell, [&] {
      auto codec = make(cell);
      TimedCell timed;
      timed.symbol_bytes = codec->symbol_bytes();
      timed.coded_bytes = codec->coded_bytes();
      timed.threads = codec->threads();
      subjects.push_back({cell, std::move(codec), std::move(timed)});
    });
  }

  ClockReading clock_reading{clock_mhz(), 0, false};
  std::vector<std::size_t> order(subjects.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  Philox random(options.seed, 0x74696d65);
  for (int round = -options.warmup; round < options.repeats; ++round) {
    for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below64(i)]);
    for (const std::size_t index : order) {
      Subject& subject = subjects[index];
      if (subject.settled) continue;
      const bool went = guarded(subject.cell, [&] {
        const double start = clock();
        subject.codec->encode();
        const double middle = clock();
        subject.codec->decode();
        const double end = clock();
        const DeviceTime own = subject.codec->device_time();
        const bool slow = round == -options.warmup && end - start > options.slow_seconds;
        if (round >= 0 || slow) {
          subject.timed.encode_seconds.push_back(std::isnan(own.encode_seconds) ? middle - start : own.encode_seconds);
          subject.timed.decode_seconds.push_back(std::isnan(own.decode_seconds) ? end - middle : own.decode_seconds);
          if (!std::isnan(own.wall_seconds)) subject.timed.wall_seconds.push_back(own.wall_seconds);
        }
        if (!std::isnan(own.clock_mhz)) {
          if (!subject.has_own_clock) subject.clock.before = own.clock_mhz;
          subject.clock.after = own.clock_mhz;
          subject.clock.is_held_back = subject.clock.is_held_back || own.is_throttled;
          subject.has_own_clock = true;
        }
        subject.settled = slow;
      });
      if (!went) {
        subject.settled = true;
        subject.timed.encode_seconds.clear();
      }
    }
  }
  clock_reading.after = clock_mhz();
  for (const Subject& subject : subjects) {
    if (subject.timed.encode_seconds.empty()) continue;
    callbacks.done(subject.cell, subject.timed, subject.has_own_clock ? subject.clock : clock_reading);
  }
}

}  // namespace wcodec
