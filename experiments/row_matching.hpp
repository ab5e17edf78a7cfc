// Which row of one matrix looks most like which row of another: neurons of two layers have no common order.
#pragma once

#include <vector>

#include "core/types.hpp"

namespace wcodec {

// A permutation: row r of `of` is matched with row result[r] of `with`. Greedy: of all pairs the one of the largest
// correlation, then of those that are left, until all rows have one. Ties go to the lower row of `of`, then of `with`.
// Values that are no numbers count as 0. The result is the same on every machine: sums are made in one order. Memory: 8
// bytes a pair of rows. At most 65536 rows.
std::vector<u32> match_rows(std::span<const float> of, std::span<const float> with, i64 rows, i64 cols);

}  // namespace wcodec
