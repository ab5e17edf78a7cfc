// What memory coding saves on a large model: measured bits a weight by tensor kind, carried over to the model's shapes.
//
// A carrying over, not a measurement: the models that were measured are small, and the tables say which. What it has of
// the large model is its shapes (how much of it is which kind, how many scales there are); bits come from the small
// one. Tables and headers weigh more in small matrices, so the large model should come out a little smaller than said.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "experiments/model_shapes.hpp"
#include "experiments/results.hpp"
#include "experiments/statistics.hpp"
#include "experiments/tables.hpp"

namespace wcodec {

// What the bits of a kind come from.
struct KindBits {
  std::string kind, measured_as;  // the same kind but where the measured model has none: gate as up, head as embedding
  u64 tensors = 0;                // measured
  // Of symbols, scales left out, weighted by weights; the interval resamples tensors. With fewer than kMinUnits tensors
  // the interval is that of all matrices of the model, widened to hold the kind's own mean (`is_borrowed`).
  Estimate bits;
  bool is_borrowed = false;
};

struct MemoryRow {
  std::string model, format, measured_on, coder;  // format: a quantizer's spec, or "lossless BF16"
  std::vector<KindBits> kinds;
  double weights = 0;
  double plain_bytes = 0;  // symbols at native width
  double scale_bytes = 0;  // stored as they are
  double coded_bytes = 0;  // symbols
  Interval coded;          // bytes; kinds are taken to err all in one direction, so it is wide rather than narrow
  double saved() const noexcept { return 1 - (coded_bytes + scale_bytes) / (plain_bytes + scale_bytes); }
};

struct MemoryOptions {
  std::string coder = "rans:contexts=32,tables=row-col-scale", modes = "none";
  std::string checkpoint;  // glob over measured models
  BootstrapOptions bootstrap;
};

// One row a shape, format and measured model that has attention.q, mlp.up and mlp.down, sorted so. Lossless rows of
// float checkpoints other than 16-bit ones are left out: nobody keeps a large model so. Throws Error{not_found} where
// no model has the series, naming those there are.
std::vector<MemoryRow> memory_rows(std::span<const SummaryRow> rows, std::span<const ModelShape> shapes,
                                   const MemoryOptions& options);

// One table for all; and the kinds behind them.
Table memory_table(std::span<const MemoryRow> rows);
Table memory_kinds_table(std::span<const MemoryRow> rows);

}  // namespace wcodec
