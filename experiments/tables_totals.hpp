// Sums over the tensors of a checkpoint, on which all tables stand: a ratio of a checkpoint is the sum of its original
// bytes over the sum of its coded bytes, never a mean of ratios.
#pragma once

#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "experiments/results.hpp"

namespace wcodec {

// One series (control, stages) summed over the tensors of a checkpoint under a quantizer. Label fields that vary over
// the tensors are empty.
struct Total : SummaryRow {
  u64 tensors = 0;
};

struct Totals {
  std::vector<Total> series;       // sorted
  std::vector<std::string> notes;  // what had to be left out to compare like with like
};

// Series of a (checkpoint, quantizer) that are set side by side are summed over the same tensors: those that every
// series has, after leaving out series that lack more than a tenth of the weights (`kept` says so in a note). A cell
// that ran on two devices counts once. Entropies are weight-weighted, NaN unless every tensor has them. Empty tensors
// are left out. The report of the Python side sums by the same rules.
Totals total_up(std::span<const SummaryRow> rows);

}  // namespace wcodec
