// Running cells: everything that shares one tensor and one quantizer is read, quantized and predicted once.
#pragma once

#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/tensor.hpp"
#include "experiments/cell.hpp"

namespace wcodec {

// How the reason of a failure begins when the machine lacks what the cell needs (a GPU, nvCOMP): such a cell is
// recorded as unavailable, and tried again by every run.
inline const std::string kUnavailable = "unavailable: ";

struct MeasureCallbacks {
  std::function<void(std::size_t cell)> begin;  // index into `cells`, before it runs
  std::function<void(std::size_t cell, const CellResult&)> done;
  std::function<void(std::size_t cell, const std::string& reason)> failed;  // the sweep goes on
  std::function<void(const Diagnostics&)> diagnostics;                      // may be empty
};

// Runs byte cells that share checkpoint tensor and quantizer, in an order of its own choosing (grouped by control,
// tile, modes, transform). Every cell is encoded, decoded from the bytes alone and compared; a mismatch is a failure of
// that cell. Memory: about (8 + planes·(4 + predictors + transforms)) bytes a weight. Single-threaded: workers are
// processes. `diagnostic_tile` (e.g. "16x16"): when not empty, histograms and correlations are reported for each
// control met.
//
// A cell with a reference is coded as what the reference leaves of the tensor under its control; the reference itself
// is as its checkpoint has it. `reference` opens the checkpoint of a ReferencePlace, without it that is `checkpoint`;
// each reference is read and quantized once.
using ReferenceOpener = std::function<const Checkpoint&(std::size_t checkpoint)>;
void measure_cells(const Checkpoint& checkpoint, std::size_t tensor, const std::string& quantizer,
                   std::span<const Cell> cells, const std::string& diagnostic_tile, const MeasureCallbacks& callbacks,
                   const ReferenceOpener& reference = {});

// What a timed cell reports: seconds of each repeat, encode and decode apart, in the order run.
struct TimedCell {
  u64 symbol_bytes = 0;  // symbols at native width: the bytes that MB/s counts
  u64 coded_bytes = 0;
  std::vector<double> encode_seconds, decode_seconds;
  std::vector<double> wall_seconds = {};  // of each decode on a GPU, launch and wait included; empty on the CPU
  int threads = 1;                        // cores that worked at once
};

// What a device's own clock says of the last encode and decode.
struct DeviceTime {
  double encode_seconds, decode_seconds;  // kNotTimed: the host's clock counts
  double wall_seconds;                    // of the decode, on the host's clock; kNotTimed on the CPU
  double clock_mhz;                       // after the decode; kNotTimed: that of the host's processor
  bool is_throttled;
};
inline constexpr double kNotTimed = std::numeric_limits<double>::quiet_NaN();

// Prepares a cell for timing (reads, quantizes, allocates, checks a round trip) so that `encode` and `decode` time only
// the codec.
class TimingSubject {
 public:
  virtual ~TimingSubject() = default;
  virtual void encode() = 0;
  virtual void decode() = 0;
  virtual u64 symbol_bytes() const = 0;
  virtual u64 coded_bytes() const = 0;
  virtual DeviceTime device_time() const { return {kNotTimed, kNotTimed, kNotTimed, kNotTimed, false}; }
  // Cores that work at once.
  virtual int threads() const { return 1; }
};
std::unique_ptr<TimingSubject> make_timing_subject(const Checkpoint& checkpoint, std::size_t tensor, const Cell& cell);

}  // namespace wcodec
