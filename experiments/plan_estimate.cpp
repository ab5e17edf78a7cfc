#include <algorithm>
#include <array>
#include <cstdlib>

#include "core/spec.hpp"
#include "experiments/plan.hpp"
#include "quantizers/registry.hpp"

namespace wcodec {
namespace {

// Weights a second on one core, encoded, decoded and compared. Orders of magnitude, for a plan that says "minutes" or
// "days": the run reports its own progress.
constexpr double kCodecRate = 10e6;           // with one candidate predictor; each further one is another pass
constexpr double kPredictorPassRate = 100e6;  // residual and cost of one more candidate
constexpr double kOtherBaselineRate = 5e6;

struct BaselineRate {
  sv name;
  int from_level;  // of this level and above
  double rate;
};
constexpr std::array kBaselineRates = {
    BaselineRate{"memcpy", 0, 2e9},        BaselineRate{"lz4", 0, 200e6},     BaselineRate{"libdeflate", 0, 40e6},
    BaselineRate{"libdeflate", 10, 4e6}, BaselineRate{"gzip", 0, 15e6},     BaselineRate{"gzip", 9, 10e6},
    BaselineRate{"zstd", 0, 100e6},      BaselineRate{"zstd", 10, 8e6},     BaselineRate{"zstd", 16, 2e6},
    BaselineRate{"bzip2", 0, 8e6},       BaselineRate{"xz", 0, 2e6},        BaselineRate{"brotli", 0, 40e6},
    BaselineRate{"brotli", 9, 4e6},      BaselineRate{"brotli", 11, 0.5e6},
};

double baseline_rate(const std::string& text) {
  const Spec spec = parse_spec(text);
  const auto option = spec.options.find("level");
  // A level left out is the library's default, which is in the class of the lowest.
  const int level = option == spec.options.end() ? 0 : std::atoi(option->second.c_str());
  double rate = kOtherBaselineRate;
  for (const BaselineRate& row : kBaselineRates) {
    if (row.name == spec.name && level >= row.from_level) rate = row.rate;
  }
  return rate;
}

}  // namespace

double estimated_seconds(const Cell& cell, u64 weights) {
  const double n = static_cast<double>(weights);
  if (cell.role == Role::baseline) return n / baseline_rate(cell.coder);
  const auto further = static_cast<double>(std::count(cell.modes.begin(), cell.modes.end(), '+'));
  return n / kCodecRate + further * n / kPredictorPassRate;
}

u64 estimated_memory(const TensorInfo& tensor, const std::string& quantizer, std::size_t predictors) {
  // See measure_cells: quantized symbols are one plane; lossless splits a weight into its bytes.
  const bool is_numeric = parse_quantizer(quantizer).row->numeric;
  const u64 planes = is_numeric ? 1 : static_cast<u64>(info(tensor.dtype).memory_bytes);
  return tensor.weights() * (8 + planes * (4 + predictors));
}

}  // namespace wcodec
