#include <algorithm>
#include <array>
#include <cstdlib>

#include "core/spec.hpp"
#include "experiments/plan.hpp"
#include "quantizers/registry.hpp"
#include "transforms/registry.hpp"

namespace wcodec {
namespace {

// Bytes a second on one core of an ordinary server, encoded, decoded and compared. Good to a factor of two, for a plan
// that says "minutes" or "days": the run reports its own progress.
constexpr double kCodecRate = 30e6;           // with one candidate predictor
constexpr double kPredictorPassRate = 250e6;  // residual and cost of each further one
constexpr double kTransformRate = 40e6;       // forward, inverse and back
constexpr double kProbePasses = 3;
constexpr double kReferenceRate = 20e6;  // prediction there and back
constexpr double kLosslessPlanes = 2;    // bytes a weight, of the 16-bit types that most weights are stored in
constexpr double kOtherBaselineRate = 10e6;

struct BaselineRate {
  sv name;
  int from_level;  // of this level and above
  double rate;
};
constexpr std::array kBaselineRates = {
    BaselineRate{"memcpy", 0, 5e9},      BaselineRate{"lz4", 0, 400e6},   BaselineRate{"libdeflate", 0, 60e6},
    BaselineRate{"libdeflate", 10, 8e6}, BaselineRate{"gzip", 0, 25e6},   BaselineRate{"gzip", 9, 20e6},
    BaselineRate{"zstd", 0, 250e6},      BaselineRate{"zstd", 10, 20e6},  BaselineRate{"zstd", 16, 5e6},
    BaselineRate{"bzip2", 0, 12e6},      BaselineRate{"xz", 0, 5e6},      BaselineRate{"brotli", 0, 80e6},
    BaselineRate{"brotli", 5, 25e6},     BaselineRate{"brotli", 10, 1e6}, BaselineRate{"zipnn", 0, 150e6},
    BaselineRate{"openzl", 0, 100e6},    BaselineRate{"pcodec", 0, 40e6}, BaselineRate{"pcodec", 9, 8e6},
    BaselineRate{"z4ai", 0, 10e6},       BaselineRate{"nncodec", 0, 2e6}, BaselineRate{"constriction", 0, 6e6},
    BaselineRate{"zfp", 0, 40e6},        BaselineRate{"fpzip", 0, 30e6},
};

bool is_numeric(const std::string& quantizer) { return parse_quantizer(quantizer).row->numeric; }

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
  const double planes = is_numeric(cell.quantizer) ? 1 : kLosslessPlanes;
  const double bytes = planes * static_cast<double>(weights);
  if (cell.role == Role::baseline) return bytes / baseline_rate(cell.coder);
  const auto further = static_cast<double>(std::count(cell.modes.begin(), cell.modes.end(), '+'));
  const double reference = cell.reference == "none" ? 0 : bytes / kReferenceRate;
  const double transform_passes = cell.transform == "identity" ? 0 : cell.transform == kProbe ? kProbePasses : 1;
  return bytes / kCodecRate + further * bytes / kPredictorPassRate + transform_passes * bytes / kTransformRate +
         reference;
}

u64 reference_memory(const TensorInfo& tensor, std::size_t references, bool matches_rows) {
  // Each as words and floats; once the prediction's grid, the residual and its planes; pairs of rows.
  const u64 pairs = matches_rows ? 8 * static_cast<u64>(tensor.rows) * static_cast<u64>(tensor.rows) : 0;
  return tensor.weights() * (8 * references + 24) + pairs;
}

u64 estimated_memory(const TensorInfo& tensor, const std::string& quantizer, std::size_t kept) {
  // See measure_cells: `lossless` splits a weight into its bytes.
  const u64 planes = is_numeric(quantizer) ? 1 : static_cast<u64>(info(tensor.dtype).memory_bytes);
  return tensor.weights() * (8 + planes * (4 + kept));
}

}  // namespace wcodec
