#include "experiments/statistics.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "experiments/student.hpp"

namespace wcodec {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Estimate bootstrap_mean(std::span<const Weighted> units, const BootstrapOptions& options = {}) {
  return Bootstrap(options).mean(units);
}
Estimate bootstrap_pooled(std::span<const ClusterOfUnits> checkpoints, const BootstrapOptions& options = {}) {
  return Bootstrap(options).pooled(checkpoints);
}

std::vector<Weighted> normal_units(u64 seed, u64 stream, std::size_t count, double mean, double spread) {
  Philox random(seed, stream);
  std::vector<Weighted> units;
  for (std::size_t i = 0; i < count; ++i) units.push_back({mean + spread * random.normal(), 1.0});
  return units;
}

TEST(WeightedMean, WeighsAndKeepsEqualValuesExact) {
  EXPECT_DOUBLE_EQ(weighted_mean(std::vector<Weighted>{{1, 3}, {5, 1}}), 2.0);
  EXPECT_EQ(weighted_mean(std::vector<Weighted>{{0.1, 3}, {0.1, 7}, {0.1, 11}}), 0.1);
  EXPECT_TRUE(std::isnan(weighted_mean({})));
}

TEST(BootstrapMean, EqualUnitsHaveAnIntervalOfNoWidth) {
  const std::vector<Weighted> units{{0.1, 1}, {0.1, 2}, {0.1, 3}, {0.1, 4}, {0.1, 5}, {0.1, 6}};
  const Estimate estimate = bootstrap_mean(units);
  EXPECT_EQ(estimate.effect, 0.1);
  EXPECT_EQ(estimate.interval.lo, 0.1);
  EXPECT_EQ(estimate.interval.hi, 0.1);
}

TEST(BootstrapMean, FewerThanSixUnitsHaveNoInterval) {
  for (std::size_t count = 0; count < 10; ++count) {
    const Estimate estimate = bootstrap_mean(normal_units(1, 0, count, 0, 1), {.resamples = 100});
    EXPECT_EQ(estimate.interval.known(), count >= 6) << count;
    EXPECT_EQ(std::isnan(estimate.effect), count == 0);
  }
}

TEST(BootstrapMean, IsDeterministicAndFollowsItsSeed) {
  const auto units = normal_units(2, 0, 20, 0, 1);
  const Estimate first = bootstrap_mean(units, {.seed = 5}), again = bootstrap_mean(units, {.seed = 5});
  const Estimate other = bootstrap_mean(units, {.seed = 6});
  EXPECT_EQ(first.interval.lo, again.interval.lo);
  EXPECT_EQ(first.interval.hi, again.interval.hi);
  EXPECT_NE(first.interval.lo, other.interval.lo);
  EXPECT_NEAR(first.interval.lo, other.interval.lo, 0.05);
}

TEST(BootstrapMean, DoesNotDependOnWhatWasAskedBefore) {
  const auto units = normal_units(2, 0, 20, 0, 1), others = normal_units(2, 1, 20, 5, 1);
  Bootstrap bootstrap({.resamples = 500});
  bootstrap.mean(others);
  bootstrap.mean(normal_units(2, 2, 30, 0, 1));
  EXPECT_EQ(bootstrap.mean(units).interval.lo, bootstrap_mean(units, {.resamples = 500}).interval.lo);
}

// For normal data the expanded percentile interval is Student's: mean ± t(n−1)·s/√n.
TEST(BootstrapMean, AgreesWithStudentOnNormalData) {
  const std::size_t n = 40;
  const auto units = normal_units(3, 0, n, 1, 2);
  double mean = 0, squares = 0;
  for (const Weighted& unit : units) mean += unit.value / n;
  for (const Weighted& unit : units) squares += (unit.value - mean) * (unit.value - mean);
  const double half = 2.0227 * std::sqrt(squares / (n - 1) / n);  // t(39)
  const Estimate estimate = bootstrap_mean(units);
  EXPECT_NEAR(estimate.interval.lo, mean - half, 0.1 * half);
  EXPECT_NEAR(estimate.interval.hi, mean + half, 0.1 * half);
}

// 95 % intervals of 300 data sets: a binomial of 300 at 0.95 lies within 91…98 % all but once in a thousand.
double coverage(std::size_t units, double (*weight)(Philox&)) {
  constexpr int kSets = 300;
  constexpr double kTruth = -0.02;
  int covered = 0;
  for (int set = 0; set < kSets; ++set) {
    Philox random(99, static_cast<u64>(set));
    std::vector<Weighted> sample;
    for (std::size_t i = 0; i < units; ++i) sample.push_back({kTruth + 0.05 * random.normal(), weight(random)});
    const Interval interval = bootstrap_mean(sample, {.seed = 1, .resamples = 2000}).interval;
    covered += interval.lo <= kTruth && kTruth <= interval.hi;
  }
  return covered / double{kSets};
}

TEST(BootstrapMean, CoversTheTruthNineteenTimesInTwenty) {
  const auto equal = [](Philox&) { return 1.0; };
  for (const std::size_t units : {8u, 20u, 60u}) {
    EXPECT_GE(coverage(units, equal), 0.91) << units;
    EXPECT_LE(coverage(units, equal), 0.98) << units;
  }
}

TEST(BootstrapMean, UnequalWeightsDoNotCostCoverage) {
  // A few units carry most of the weight, as embeddings do: without Kish's number this falls to about 80 %.
  const auto skewed = [](Philox& random) { return std::exp(1.5 * random.normal()); };
  for (const std::size_t units : {8u, 40u}) EXPECT_GE(coverage(units, skewed), 0.91) << units;
}

TEST(BootstrapMean, RefusesWhatIsNoSample) {
  EXPECT_THROW(bootstrap_mean(std::vector<Weighted>{{1, 0}}), Error);
  EXPECT_THROW(bootstrap_mean(std::vector<Weighted>{{1, -1}}), Error);
  EXPECT_THROW(bootstrap_mean(std::vector<Weighted>{{kNan, 1}}), Error);
}

std::vector<ClusterOfUnits> models(u64 seed, std::size_t families, std::size_t per_family, double between) {
  std::vector<ClusterOfUnits> out;
  for (std::size_t f = 0; f < families; ++f) {
    Philox random(seed, f);
    const double shift = between * random.normal();
    for (std::size_t c = 0; c < per_family; ++c) {
      ClusterOfUnits model{"family" + std::to_string(f), {}};
      for (int t = 0; t < 12; ++t) model.units.push_back({shift + 0.1 * random.normal(), 1.0});
      out.push_back(std::move(model));
    }
  }
  return out;
}

TEST(BootstrapPooled, NeedsSixFamiliesNotSixCheckpoints) {
  EXPECT_FALSE(bootstrap_pooled(models(1, 5, 1, 1), {.resamples = 100}).interval.known());
  EXPECT_FALSE(bootstrap_pooled(models(1, 5, 4, 1), {.resamples = 100}).interval.known());
  EXPECT_FALSE(std::isnan(bootstrap_pooled(models(1, 5, 4, 1), {.resamples = 100}).effect));
  EXPECT_TRUE(bootstrap_pooled(models(1, 6, 1, 1), {.resamples = 100}).interval.known());
}

TEST(BootstrapPooled, IsAsWideAsTheFamiliesDifferNotAsTheTensors) {
  // 96 tensors of 8 families: taken as independent they would give a third of the width.
  const auto sample = models(4, 8, 1, 1.0);
  std::vector<Weighted> flat;
  for (const auto& model : sample) flat.insert(flat.end(), model.units.begin(), model.units.end());
  const Interval pooled = bootstrap_pooled(sample).interval, naive = bootstrap_mean(flat).interval;
  EXPECT_GT(pooled.hi - pooled.lo, 2.5 * (naive.hi - naive.lo));
}

TEST(BootstrapPooled, CopiesOfAModelAreNoNewEvidence) {
  const Interval once = bootstrap_pooled(models(5, 7, 1, 1.0)).interval;
  auto twice = models(5, 7, 1, 1.0);
  const auto copy = twice;
  twice.insert(twice.end(), copy.begin(), copy.end());
  const Interval doubled = bootstrap_pooled(twice).interval;
  EXPECT_NEAR(doubled.hi - doubled.lo, once.hi - once.lo, 0.1 * (once.hi - once.lo));
}

TEST(BootstrapPooled, DoesNotDependOnTheOrderOfFamilies) {
  auto sample = models(6, 7, 1, 1.0);
  for (auto& model : sample) {
    for (auto& unit : model.units) unit.value = std::round(unit.value * 1024) / 1024;  // so that sums are exact
  }
  const Interval forward = bootstrap_pooled(sample).interval;
  std::reverse(sample.begin(), sample.end());
  const Interval backward = bootstrap_pooled(sample).interval;
  EXPECT_NEAR(forward.lo, backward.lo, 1e-12);
  EXPECT_NEAR(forward.hi, backward.hi, 1e-12);
}

TEST(BootstrapPooled, CoversTheTruthOverFamilies) {
  int covered = 0;
  for (u64 set = 0; set < 300; ++set) {
    const Interval interval = bootstrap_pooled(models(1000 + set, 10, 1, 0.3), {.resamples = 1000}).interval;
    covered += interval.lo <= 0 && 0 <= interval.hi;
  }
  EXPECT_GE(covered / 300.0, 0.91);
  EXPECT_LE(covered / 300.0, 0.985);  // resampling both levels errs to the wide side (Davison and Hinkley 1997, §3.8)
}

TEST(WeightedQuantile, IsHazensForEqualWeights) {
  const std::vector<Weighted> five{{5, 1}, {1, 1}, {3, 1}, {2, 1}, {4, 1}};
  EXPECT_DOUBLE_EQ(weighted_quantile(five, 0.5), 3);
  EXPECT_DOUBLE_EQ(weighted_quantile(five, 0.25), 1.75);
  EXPECT_DOUBLE_EQ(weighted_quantile(five, 0), 1);
  EXPECT_DOUBLE_EQ(weighted_quantile(five, 1), 5);
  EXPECT_DOUBLE_EQ(weighted_quantile(std::vector<Weighted>{{1, 1}, {2, 1}}, 0.5), 1.5);
}

TEST(WeightedQuantile, WeighsAndLeavesOutWhatIsMissing) {
  const std::vector<Weighted> units{{10, 1}, {20, 6}, {30, 1}, {kNan, 5}};
  EXPECT_DOUBLE_EQ(weighted_quantile(units, 0.5), 20);
  EXPECT_TRUE(std::isnan(weighted_quantile(std::vector<Weighted>{{kNan, 1}}, 0.5)));
}

// p and the 95 % interval are two views of one thing.
TEST(BootstrapP, IsSmallWhereTheIntervalConcludes) {
  constexpr double kMargin = 0.5;
  int agree = 0, concluded = 0;
  constexpr int kTrials = 200;
  for (int trial = 0; trial < kTrials; ++trial) {
    const auto units = normal_units(11, static_cast<u64>(trial), 12, (trial % 20 - 10) * 0.15, 0.6);
    const Estimate estimate = Bootstrap({.resamples = 2000}).mean(units, kMargin);
    const Interval& at = estimate.interval;
    const bool concludes = at.hi < -kMargin || at.lo > kMargin || (at.lo >= -kMargin && at.hi <= kMargin);
    concluded += concludes;
    agree += concludes == (estimate.p <= 0.05);
    EXPECT_GT(estimate.p, 0);
    EXPECT_LE(estimate.p, 1);
  }
  EXPECT_GE(agree, kTrials - 2);  // ties of resamples at the very end of an interval
  EXPECT_GT(concluded, kTrials / 4);
  EXPECT_LT(concluded, 3 * kTrials / 4);
}

// For normal data p is that of Student's test against the margin.
TEST(BootstrapP, AgreesWithStudent) {
  const std::size_t n = 16;
  const auto units = normal_units(12, 0, n, 1, 1);
  double mean = 0, squares = 0;
  for (const Weighted& unit : units) mean += unit.value / n;
  for (const Weighted& unit : units) squares += (unit.value - mean) * (unit.value - mean);
  const double error = std::sqrt(squares / (n - 1) / n);
  for (const double distance : {2.0, 3.0, 6.0, 12.0}) {
    const double p = Bootstrap({}).mean(units, mean - distance * error).p;
    const double student = 2 * student_upper_tail(distance, n - 1);
    EXPECT_NEAR(std::log(p) / std::log(student), 1, 0.15) << distance << " " << p << " " << student;
  }
}

TEST(BootstrapP, OfEqualUnitsIsWhatTheirNumberAllows) {
  const std::vector<Weighted> units(8, {0.1, 1});
  EXPECT_EQ(Bootstrap({}).mean(units, 0.01).p, 1.0 / 128);
}

TEST(BootstrapP, NeedsAMarginAndAnInterval) {
  EXPECT_TRUE(std::isnan(Bootstrap({}).mean(normal_units(1, 0, 9, 0, 1)).p));
  EXPECT_TRUE(std::isnan(Bootstrap({}).mean(normal_units(1, 0, 5, 0, 1), 0.1).p));
}

}  // namespace
}  // namespace wcodec
