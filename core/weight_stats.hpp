// What a tensor's weights look like, before anything is done to them: for `wcodec stats`.
#pragma once

#include <string>
#include <vector>

#include "core/tensor.hpp"

namespace wcodec {

// Moments are those of the finite elements and of the population (divided by n, not n − 1). A figure that the tensor
// does not define (the kurtosis of a constant, the left neighbour in a single column) is NaN.
struct WeightStats {
  std::string name, kind, source_type;
  DType dtype = DType::uint8;
  std::vector<i64> shape;
  i64 rows = 0, cols = 0;
  u64 weights = 0, source_bytes = 0;

  u64 zeros = 0, nans = 0, infinities = 0;  // −0 is a zero
  double sparsity = 0;                      // zeros ÷ weights
  double min = 0, max = 0, mean = 0, stddev = 0;
  double kurtosis = 0;  // 3 for a normal distribution

  // How unequal the scales are: standard deviation of log2(root mean square) over the rows (columns) that are not zero.
  double row_scale_spread = 0, col_scale_spread = 0;
  // Kurtosis once each row is divided by its root mean square, and then each column by its own.
  double scaled_kurtosis = 0;
  // Mean product of deviations of neighbours ÷ variance.
  double left_correlation = 0, top_correlation = 0;

  // Bits a weight: entropy of the INT8 codes (per row, absmax to 127; integers of at most 8 bits are their own codes),
  // and the same given the code to the left. Order 1 counts 65,536 cells, so it comes out low by chance alone on
  // tensors of less than many millions; `by_chance` is the same figure of the same codes in random order: only what
  // lies below it is information in the neighbour.
  double int8_entropy = 0, int8_entropy_given_left = 0, int8_entropy_given_left_by_chance = 0;
  // Bits a byte of what `read_rows` delivers, and the same given the byte before.
  double byte_entropy = 0, byte_entropy_given_previous = 0;
};

// Reads the tensor twice in windows of rows; takes a few doubles a column of memory. The same result on every machine.
WeightStats weight_stats(const Checkpoint& checkpoint, std::size_t index);

// One JSON object, keys as above, NaN as null.
std::string to_json(const WeightStats& stats);

}  // namespace wcodec
