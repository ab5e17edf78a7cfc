#include "experiments/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "core/portable_math.hpp"

namespace wcodec {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// 97.5 % points of Student's t for 1…30 degrees of freedom.
constexpr double kStudent[] = {12.706205, 4.302653, 3.182446, 2.776445, 2.570582, 2.446912, 2.364624, 2.306004,
                               2.262157,  2.228139, 2.200985, 2.178813, 2.160369, 2.144787, 2.131450, 2.119905,
                               2.109816,  2.100922, 2.093024, 2.085963, 2.079614, 2.073873, 2.068658, 2.063899,
                               2.059539,  2.055529, 2.051831, 2.048407, 2.045230, 2.042272};
constexpr double kNormal = 1.959964;

// The same for any number ≥ 1: linear in 1/freedom, in which t is nearly straight.
double student(double freedom) noexcept {
  constexpr double kLast = std::size(kStudent);
  if (freedom >= kLast) return kNormal + (kStudent[std::size(kStudent) - 1] - kNormal) * (kLast / freedom);
  const auto below = static_cast<std::size_t>(freedom);
  const double left = 1.0 / static_cast<double>(below), right = 1.0 / static_cast<double>(below + 1);
  const double share = (left - 1.0 / freedom) / (left - right);
  return kStudent[below - 1] + share * (kStudent[below] - kStudent[below - 1]);
}

// How many of `resamples` sorted means lie outside each end of the interval: the largest k with k/resamples ≤ Φ(−z).
std::size_t tail_rank(double effective_units, u32 resamples) noexcept {
  const double freedom = effective_units - 1.0;
  if (freedom < 1.0) return 0;  // t has no useful bound: the whole range of the resamples
  const double z = std::sqrt(effective_units / freedom) * student(freedom);
  std::size_t low = 0, high = resamples / 2;
  while (low + 1 < high) {
    const std::size_t middle = (low + high) / 2;
    const bool inside = portable_normal_quantile(static_cast<double>(middle) / resamples) <= -z;
    (inside ? low : high) = middle;
  }
  return low;
}

double effective_number(std::span<const double> weights) noexcept {
  double sum = 0, squares = 0;
  for (const double w : weights) {
    sum += w;
    squares += w * w;
  }
  return sum * sum / squares;
}

// A sum of deviations from `origin`; means of equal values then come out exact.
struct Sums {
  double weighted = 0, weight = 0;
  void add(const Weighted& unit, double origin) noexcept {
    weighted += unit.weight * (unit.value - origin);
    weight += unit.weight;
  }
  double mean(double origin) const noexcept { return origin + weighted / weight; }
};

void check(std::span<const Weighted> units) {
  for (const Weighted& unit : units) {
    if (!std::isfinite(unit.value) || !std::isfinite(unit.weight) || unit.weight <= 0) {
      throw Error(ErrorKind::internal, "a bootstrap over values or weights that are not finite and positive");
    }
  }
}

Interval interval_of(std::vector<double> means, double effective_units) {
  const std::size_t rank = tail_rank(effective_units, static_cast<u32>(means.size()));
  const auto lo = means.begin() + static_cast<std::ptrdiff_t>(rank);
  const auto hi = means.end() - 1 - static_cast<std::ptrdiff_t>(rank);
  std::nth_element(means.begin(), lo, means.end());
  const double low = *lo;
  std::nth_element(lo, hi, means.end());
  return {low, *hi};
}

}  // namespace

double weighted_mean(std::span<const Weighted> units) noexcept {
  if (units.empty()) return kNan;
  const double origin = units.front().value;
  Sums sums;
  for (const Weighted& unit : units) sums.add(unit, origin);
  return sums.mean(origin);
}

Estimate bootstrap_mean(std::span<const Weighted> units, const BootstrapOptions& options) {
  check(units);
  Estimate estimate{weighted_mean(units), {}};
  if (units.size() < kMinUnits || options.resamples == 0) return estimate;

  const double origin = units.front().value;
  const auto count = static_cast<u32>(units.size());
  Philox random(options.seed, 0);
  std::vector<double> means(options.resamples);
  for (double& mean : means) {
    Sums sums;
    for (u32 i = 0; i < count; ++i) sums.add(units[random.below(count)], origin);
    mean = sums.mean(origin);
  }
  std::vector<double> weights;
  for (const Weighted& unit : units) weights.push_back(unit.weight);
  estimate.interval = interval_of(std::move(means), effective_number(weights));
  return estimate;
}

Estimate bootstrap_pooled(std::span<const ClusterOfUnits> checkpoints, const BootstrapOptions& options) {
  std::map<sv, std::vector<std::span<const Weighted>>> by_family;  // sorted: the order of checkpoints does not matter
  std::vector<Weighted> all;
  for (const ClusterOfUnits& checkpoint : checkpoints) {
    check(checkpoint.units);
    if (checkpoint.units.empty()) continue;
    by_family[checkpoint.family].push_back(checkpoint.units);
    all.insert(all.end(), checkpoint.units.begin(), checkpoint.units.end());
  }
  Estimate estimate{weighted_mean(all), {}};
  if (by_family.size() < kMinUnits || options.resamples == 0) return estimate;

  std::vector<std::vector<std::span<const Weighted>>> families;
  std::vector<double> weights;
  for (auto& [name, members] : by_family) {
    double weight = 0;
    for (const auto& units : members) {
      for (const Weighted& unit : units) weight += unit.weight;
    }
    weights.push_back(weight);
    families.push_back(std::move(members));
  }
  const double origin = all.front().value;
  Philox random(options.seed, 1);
  const auto draw = [&](const auto& from) -> const auto& { return from[random.below(static_cast<u32>(from.size()))]; };
  std::vector<double> means(options.resamples);
  for (double& mean : means) {
    Sums sums;
    for (std::size_t f = 0; f < families.size(); ++f) {
      const auto& family = draw(families);
      for (std::size_t c = 0; c < family.size(); ++c) {
        const std::span<const Weighted>& units = draw(family);
        for (std::size_t u = 0; u < units.size(); ++u) sums.add(draw(units), origin);
      }
    }
    mean = sums.mean(origin);
  }
  estimate.interval = interval_of(std::move(means), effective_number(weights));
  return estimate;
}

double weighted_quantile(std::span<const Weighted> units, double q) {
  std::vector<Weighted> sorted;
  double total = 0;
  for (const Weighted& unit : units) {
    if (std::isnan(unit.value) || !(unit.weight > 0)) continue;
    sorted.push_back(unit);
    total += unit.weight;
  }
  if (sorted.empty()) return kNan;
  std::sort(sorted.begin(), sorted.end(), [](const Weighted& a, const Weighted& b) { return a.value < b.value; });
  const double target = q * total;
  double before = 0, last_middle = 0;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const double middle = before + sorted[i].weight / 2;
    if (target <= middle) {
      if (i == 0) return sorted[0].value;
      const double share = (target - last_middle) / (middle - last_middle);
      return sorted[i - 1].value + share * (sorted[i].value - sorted[i - 1].value);
    }
    before += sorted[i].weight;
    last_middle = middle;
  }
  return sorted.back().value;
}

}  // namespace wcodec
