#include "entropy/clustering.hpp"

#include <algorithm>
#include <cmath>

#include "entropy/log2_cost.hpp"

namespace wcodec {
namespace {

constexpr double kTableBitsPerSymbol = 4.5;

// A count that is not 0, and where it stands.
struct Occurrence {
  std::size_t place;
  u32 count;
};

std::vector<Occurrence> list_occurrences(std::span<const u32> histograms) {
  std::vector<Occurrence> out;
  for (std::size_t i = 0; i < histograms.size(); ++i) {
    if (histograms[i] != 0) out.push_back({i, histograms[i]});
  }
  return out;
}

double times_log2(u32 count) noexcept { return count < 2 ? 0.0 : static_cast<double>(count) * fast_log2(count); }

}  // namespace

std::vector<u8> cluster_histograms(std::span<const u32> histograms, std::size_t alphabet, int limit, double overhead) {
  const std::size_t classes = histograms.size() / alphabet;
  const std::vector<Occurrence> occurrences = list_occurrences(histograms);
  std::vector<std::size_t> first_of(classes + 1);
  for (std::size_t k = 0, at = 0; k <= classes; ++k) {
    while (at < occurrences.size() && occurrences[at].place < k * alphabet) ++at;
    first_of[k] = at;
  }
  // cost[a][b]: one table for classes a … b. Σ c·log2(N/c) = N·log2(N) − Σ c·log2(c), of which a class that joins
  // changes only its own symbols' terms.
  std::vector<double> cost(classes * classes), terms(alphabet);
  std::vector<u32> merged(alphabet);
  for (std::size_t a = 0; a < classes; ++a) {
    std::fill(merged.begin(), merged.end(), 0u);
    std::fill(terms.begin(), terms.end(), 0.0);
    u32 total = 0;
    double sum = 0;
    std::size_t present = 0;
    for (std::size_t b = a; b < classes; ++b) {
      for (std::size_t i = first_of[b]; i < first_of[b + 1]; ++i) {
        const std::size_t s = occurrences[i].place - b * alphabet;
        present += merged[s] == 0;
        merged[s] += occurrences[i].count;
        total += occurrences[i].count;
        const double term = times_log2(merged[s]);
        sum += term - terms[s];
        terms[s] = term;
      }
      cost[a * classes + b] = times_log2(total) - sum + kTableBitsPerSymbol * static_cast<double>(present);
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
