// A matrix as ranks within classes of scale: what the test of independence looks at, and nothing else.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/dtype.hpp"
#include "core/types.hpp"

namespace wcodec {

// Rows and columns are divided into this many classes each, by quantiles of their root mean square.
inline constexpr std::size_t kScaleClasses = 4;

// Level 0…255 of each weight among the weights of its class (row class × column class), the rank scaled: every class
// has every level equally often, to one. Whatever scale of row and column explains is gone, and so is the shape of the
// distribution; what is left is where large and small values stand.
struct RankField {
  i64 rows = 0, cols = 0;
  std::vector<u8> levels;   // row-major
  std::vector<u8> classes;  // row class · kScaleClasses + column class

  u8 at(i64 row, i64 col) const noexcept { return levels[static_cast<std::size_t>(row * cols + col)]; }
};

// Adds to each value a uniform number of ±½ the spacing of its type at that value, so that equal values of a coarse
// type are no ties: integers ±½, floats by their mantissa (a zero as the smallest magnitude other than zero). Random
// numbers: Philox by `seed` and `tensor_hash`.
void dither(DType dtype, std::span<double> values, u64 seed, const std::string& tensor_hash);

// Each value is divided by the scale of its row and then of its column (root mean squares; a line of zeros stays), and
// ranked within its class; equal values in order of position. Without means, the mean of each row and then of each
// column is subtracted first. Throws Error{internal} unless values are finite and rows × cols.
RankField rank_field(std::span<const double> values, i64 rows, i64 cols, bool without_means);

}  // namespace wcodec
