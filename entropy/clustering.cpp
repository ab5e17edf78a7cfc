#include "entropy/clustering.hpp"

#include <algorithm>
#include <cmath>

#include "entropy/log2_cost.hpp"

namespace wcodec {
namespace {

constexpr double kTableBitsPerSymbol = 4.5;

}  // namespace

std::vector<u8> cluster_histograms(std::span<const u32> histograms, std::size_t alphabet, int limit, double overhead) {
  const std::size_t classes = histograms.size() / alphabet;
  // cost[a][b]: one table for classes a … b.
  std::vector<double> cost(classes * classes);
  std::vector<u32> merged(alphabet);
  for (std::size_t a = 0; a < classes; ++a) {
    std::fill(merged.begin(), merged.end(), 0u);
    for (std::size_t b = a; b < classes; ++b) {
      std::size_t present = 0;
      for (std::size_t s = 0; s < alphabet; ++s) {
        merged[s] += histograms[b * alphabet + s];
        present += merged[s] > 0;
      }
      cost[a * classes + b] = fast_entropy_bits(merged) + kTableBitsPerSymbol * static_cast<double>(present);
    }
  }
  // best[k][b]: classes 0 … b in k + 1 clusters; cut[k][b]: where the last one begins.
  const std::size_t most = std::min<std::size_t>(static_cast<std::size_t>(limit), classes);
  std::vector<double> best(most * classes, HUGE_VAL);
  std::vector<u8> cut(most * classes);
  for (std::size_t b = 0; b < classes; ++b) best[b] = cost[b];
  for (std::size_t k = 1; k < most; ++k) {
    for (std::size_t b = k; b < classes; ++b) {
      for (std::size_t a = k; a <= b; ++a) {
        const double total = best[(k - 1) * classes + a - 1] + cost[a * classes + b];
        if (total < best[k * classes + b]) {
          best[k * classes + b] = total;
          cut[k * classes + b] = static_cast<u8>(a);
        }
      }
    }
  }
  std::size_t clusters = 1;
  double least = best[classes - 1];
  for (std::size_t k = 1; k < most; ++k) {
    if (best[k * classes + classes - 1] + overhead < least) {
      least = best[k * classes + classes - 1] + overhead;
      clusters = k + 1;
    }
  }
  std::vector<u8> cluster_of(classes);
  std::size_t end = classes;
  for (std::size_t k = clusters; k-- > 0;) {
    const std::size_t begin = k == 0 ? 0 : cut[k * classes + end - 1];
    std::fill(cluster_of.begin() + static_cast<std::ptrdiff_t>(begin),
              cluster_of.begin() + static_cast<std::ptrdiff_t>(end), static_cast<u8>(k));
    end = begin;
  }
  return cluster_of;
}

}  // namespace wcodec
