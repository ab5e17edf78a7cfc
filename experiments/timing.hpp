// Timing of codecs against each other on one tensor, in one process, with nothing beside it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "experiments/measure.hpp"

namespace wcodec {

struct TimingOptions {
  int repeats = 10;
  int warmup = 3;
  u64 seed = 0;               // of the order within each round
  double slow_seconds = 1.0;  // a subject whose first pass takes longer is timed once, by that pass
};

// The clock around a measurement, in MHz; NaN where the system does not say.
struct ClockReading {
  double before = 0, after = 0;
  bool is_held_back = false;  // its driver says so
  bool throttled() const noexcept { return is_held_back || after < 0.9 * before; }
};

struct TimingCallbacks {
  std::function<void(std::size_t cell)> begin;  // before each preparation and pass, outside of what is timed
  std::function<void(std::size_t cell, const TimedCell&, const ClockReading&)> done;
  std::function<void(std::size_t cell, const std::string& reason)> failed;
};

// Prepares `count` subjects by `make` and times them in rounds: one encode and one decode each, in an order shuffled
// anew every round, so that drift of the machine hits all alike. `warmup` rounds are thrown away. All subjects are in
// memory together. A subject that throws is reported as failed and the others go on. `now` (seconds) is for tests.
void time_interleaved(std::size_t count, const std::function<std::unique_ptr<TimingSubject>(std::size_t)>& make,
                      const TimingOptions& options, const TimingCallbacks& callbacks,
                      const std::function<double()>& now = {});

}  // namespace wcodec
