// Measures a checkpoint for a claim: the granularities, clips and coders under which the claimed ratio might appear,
// and what outliers alone do to it.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "core/tensor.hpp"
#include "experiments/claim.hpp"

namespace wcodec {

struct ClaimSample {
  std::string name = "checkpoint";           // of the rows
  std::vector<std::string> include = {"*"};  // globs over tensor names
  u64 tensors = 8;                           // at most so many matrices, evenly spaced over those of the file; 0 = all
};

// One tensor with one INT8 scale for all of it: the order-0 ratio, 8 / entropy, when the largest weights are left out
// of the scale (and clipped to it).
struct OutlierRow {
  // Shares of the weights that are left out, rounded up to whole weights; 0 is the absmax scale that claims use.
  static constexpr std::array<double, 5> kShares = {0, 1e-6, 1e-5, 1e-4, 1e-3};
  std::string tensor;
  u64 weights = 0;
  double sigmas = 0;                           // largest magnitude over the root mean square
  std::array<double, kShares.size()> ratio{};  // infinite where the codes are all alike
};

struct ClaimMeasurement {
  std::vector<SummaryRow> rows;      // controls original and shuffled, each decoded and compared bit for bit
  std::vector<OutlierRow> outliers;  // floating-point tensors only
  u64 tensors = 0, weights = 0;      // measured
  u64 matrices = 0;                  // that match, measured or not
};

// What the claim is about decides the quantizers: its format word (int8, int4, fp8, or a float format for lossless
// coding; without one INT8, INT4 and lossless) by tensor, row, column and group, with absmax and mse clip. Integer
// tensors are coded as they are. gzip, zstd and bzip2 are measured where the claim names them. `progress` is told the
// tensor before it is measured. Throws Error{not_found} where no matrix matches, Error{internal} where a cell fails.
ClaimMeasurement measure_for_claim(const Claim& claim, const Checkpoint& checkpoint, const ClaimSample& sample,
                                   const std::function<void(const TensorInfo&)>& progress = {});

// The outliers of one matrix of finite values. Exact: the order statistics are those of the magnitudes.
OutlierRow outliers_of(std::string tensor, std::span<const double> values);

// A table for people, and what it says.
std::string describe(std::span<const OutlierRow> outliers);

}  // namespace wcodec
