// What many comparisons at once do to a p-value. Of a hundred comparisons that hold nothing, five are "significant" at
// 5 %; corrected, one experiment in twenty has any.
#pragma once

#include <span>
#include <vector>

namespace wcodec {

// A conclusion is drawn where its corrected p is at most this.
inline constexpr double kSignificance = 0.05;

// Both take p-values in any order and give one for each, in the same order. NaN stands for a comparison that cannot be
// judged (no interval): it stays NaN and does not count among the others. A p outside 0…1 throws Error{internal}.

// Adjusted so that among all conclusions with p ≤ α any is wrong with probability at most α, whatever the dependence of
// the comparisons: the i-th smallest of n is multiplied by n − i + 1 (Holm, "A Simple Sequentially Rejective Multiple
// Test Procedure", Scandinavian Journal of Statistics 6, 1979).
std::vector<double> holm(std::span<const double> p);

// q-values: of the conclusions with q ≤ α the expected share that is wrong is at most α, for comparisons that are
// independent or positively dependent (Benjamini and Hochberg, "Controlling the False Discovery Rate", Journal of the
// Royal Statistical Society B 57(1), 1995; Benjamini and Yekutieli, Annals of Statistics 29(4), 2001).
std::vector<double> benjamini_hochberg(std::span<const double> p);

}  // namespace wcodec
