#include "experiments/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "core/portable_math.hpp"
#include "experiments/student.hpp"

namespace wcodec {

// A sum of deviations from `origin`; means of equal values then come out exact.
struct Bootstrap::Sums {
  double weighted = 0, weight = 0;
  void add(const Weighted& unit, double origin) noexcept {
    weighted += unit.weight * (unit.value - origin);
    weight += unit.weight;
  }
  void add(const Sums& other) noexcept {
    weighted += other.weighted;
    weight += other.weight;
  }
  double mean(double origin) const noexcept { return origin + weighted / weight; }
};

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kMostCachedDraws = 16'000'000;
constexpr u64 kPooledStream = ~u64{0};  // the others are sample sizes

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

void check(std::span<const Weighted> units) {
  for (const Weighted& unit : units) {
    if (!std::isfinite(unit.value) || !std::isfinite(unit.weight) || unit.weight <= 0) {
      throw Error(ErrorKind::internal, "a bootstrap over values or weights that are not finite and positive");
    }
  }
}

// One-sided p that the mean lies beyond `margin` on the side where `beyond` of the resamples do; `distance` is from the
// resamples' mean to the margin, in their standard deviations. The widening is that of tail_rank, the other way round.
double one_sided(std::size_t beyond, std::size_t resamples, double distance, double effective_units) noexcept {
  if (beyond == resamples) return 1;
  const double share = static_cast<double>(std::max<std::size_t>(beyond, 1)) / static_cast<double>(resamples);
  double z = -portable_normal_quantile(share);
  if (beyond == 0) z = std::max(z, distance);
  const double freedom = std::max(1.0, effective_units - 1.0);
  return student_upper_tail(z * std::sqrt(freedom / (freedom + 1.0)), freedom);
}

double p_of(const std::vector<double>& means, double margin, double effective_units, std::size_t units) {
  if (std::isnan(margin)) return kNan;
  const std::size_t count = means.size();
  double sum = 0, squares = 0;
  for (const double mean : means) sum += mean - means.front();
  const double shift = sum / static_cast<double>(count), centre = means.front() + shift;
  for (const double mean : means) squares += (mean - centre) * (mean - centre);
  const double spread = std::sqrt(squares / static_cast<double>(count));
  if (spread == 0) return std::ldexp(1.0, 1 - static_cast<int>(std::min<std::size_t>(units, 1000)));

  // How many resamples speak against each claim; an interval within the margin may touch it, others may not.
  const auto that = [&](auto condition) {
    return static_cast<std::size_t>(std::count_if(means.begin(), means.end(), condition));
  };
  const auto p = [&](std::size_t beyond, double distance) {
    return one_sided(beyond, count, distance / spread, effective_units);
  };
  const double below = p(that([&](double m) { return m >= -margin; }), -margin - centre);
  const double above = p(that([&](double m) { return m <= margin; }), centre - margin);
  const double within = std::max(p(that([&](double m) { return m < -margin; }), centre + margin),
                                 p(that([&](double m) { return m > margin; }), margin - centre));
  return std::min(1.0, 2 * std::min({below, above, within}));
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
  double weighted = 0, weight = 0;
  for (const Weighted& unit : units) {
    weighted += unit.weight * (unit.value - origin);
    weight += unit.weight;
  }
  return origin + weighted / weight;
}

std::vector<Bootstrap::Sums> Bootstrap::resampled(std::span<const Weighted> units, double origin) {
  const std::size_t count = units.size();
  std::vector<Sums> sums(options_.resamples);
  Philox random(options_.seed, count);
  const auto draw = [&] { return random.below(static_cast<u32>(count)); };
  if (count * options_.resamples > kMostCachedDraws || count > 0xffff) {
    for (Sums& sum : sums) {
      for (std::size_t i = 0; i < count; ++i) sum.add(units[draw()], origin);
    }
    return sums;
  }
  std::vector<u16>& draws = draws_[count];
  if (draws.empty()) {
    draws.resize(count * options_.resamples);
    for (u16& unit : draws) unit = static_cast<u16>(draw());
  }
  const u16* at = draws.data();
  for (Sums& sum : sums) {
    for (std::size_t i = 0; i < count; ++i) sum.add(units[*at++], origin);
  }
  return sums;
}

Estimate Bootstrap::mean(std::span<const Weighted> units, double margin) {
  check(units);
  Estimate estimate;
  estimate.effect = weighted_mean(units);
  if (units.size() < kMinUnits || options_.resamples == 0) return estimate;
  const double origin = units.front().value;
  std::vector<double> means, weights;
  for (const Sums& sums : resampled(units, origin)) means.push_back(sums.mean(origin));
  for (const Weighted& unit : units) weights.push_back(unit.weight);
  estimate.p = p_of(means, margin, effective_number(weights), units.size());
  estimate.interval = interval_of(std::move(means), effective_number(weights));
  return estimate;
}

Estimate Bootstrap::pooled(std::span<const ClusterOfUnits> checkpoints, double margin) {
  std::map<sv, std::vector<std::span<const Weighted>>> by_family;  // sorted: the order of families does not matter
  std::vector<Weighted> all;
  for (const ClusterOfUnits& checkpoint : checkpoints) {
    check(checkpoint.units);
    if (checkpoint.units.empty()) continue;
    by_family[checkpoint.family].push_back(checkpoint.units);
    all.insert(all.end(), checkpoint.units.begin(), checkpoint.units.end());
  }
  Estimate estimate;
  estimate.effect = weighted_mean(all);
  if (by_family.size() < kMinUnits || options_.resamples == 0) return estimate;

  // Each checkpoint is resampled as often as anything is; where the families' resampling comes to a checkpoint, it
  // takes one of these at random.
  const double origin = all.front().value;
  std::vector<std::vector<std::vector<Sums>>> families;  // [family][checkpoint][resample]
  std::vector<double> weights;                           // of families
  for (const auto& [name, members] : by_family) {
    double weight = 0;
    auto& family = families.emplace_back();
    for (const auto& units : members) {
      for (const Weighted& unit : units) weight += unit.weight;
      family.push_back(resampled(units, origin));
    }
    weights.push_back(weight);
  }
  Philox random(options_.seed, kPooledStream);
  const auto draw = [&](const auto& from) -> const auto& { return from[random.below(static_cast<u32>(from.size()))]; };
  std::vector<double> means(options_.resamples);
  for (double& mean : means) {
    Sums sums;
    for (std::size_t f = 0; f < families.size(); ++f) {
      const auto& family = draw(families);
      for (std::size_t c = 0; c < family.size(); ++c) sums.add(draw(draw(family)));
    }
    mean = sums.mean(origin);
  }
  estimate.p = p_of(means, margin, effective_number(weights), by_family.size());
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
