#include "experiments/many_comparisons.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "core/error.hpp"

namespace wcodec {
namespace {

// Where the p-values are that count, the smallest first.
std::vector<std::size_t> ranked(std::span<const double> p) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < p.size(); ++i) {
    if (std::isnan(p[i])) continue;
    if (p[i] < 0 || p[i] > 1) throw Error(ErrorKind::internal, "a p-value outside 0 to 1");
    order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  return order;
}

}  // namespace

std::vector<double> holm(std::span<const double> p) {
  const std::vector<std::size_t> order = ranked(p);
  std::vector<double> adjusted(p.size(), std::numeric_limits<double>::quiet_NaN());
  double largest = 0;  // a comparison falls with every smaller p that falls
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    const auto left = static_cast<double>(order.size() - rank);
    largest = std::max(largest, std::min(1.0, left * p[order[rank]]));
    adjusted[order[rank]] = largest;
  }
  return adjusted;
}

std::vector<double> benjamini_hochberg(std::span<const double> p) {
  const std::vector<std::size_t> order = ranked(p);
  std::vector<double> adjusted(p.size(), std::numeric_limits<double>::quiet_NaN());
  const auto count = static_cast<double>(order.size());
  double least = 1;  // a comparison stands with every larger p that stands
  for (std::size_t rank = order.size(); rank-- > 0;) {
    least = std::min(least, count / static_cast<double>(rank + 1) * p[order[rank]]);
    adjusted[order[rank]] = least;
  }
  return adjusted;
}

}  // namespace wcodec
