// How sure a mean is: weighted means with hierarchical bootstrap intervals, and weighted quantiles.
//
// The interval is a bootstrap percentile interval (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993,
// ch. 13) in its expanded form (Hesterberg, "What Teachers Should Know About the Bootstrap", The American Statistician
// 69(4), 2015, §5.3): the plain one is too narrow for few units, because resampling n units loses a factor (n−1)/n of
// the variance and because n units say little about their own spread. The tail probability α/2 becomes
// Φ(−√(n/(n−1))·t(n−1)), which makes the interval right for normal data. BCa mends skew and bias but not this
// narrowness, and with tensors in the tens narrowness is what hurts. Where some units weigh much more than others, n is
// Kish's effective number (Σw)²/Σw²: one embedding with half of all weights makes a checkpoint of few units,
// however many small tensors stand beside it.
//
// Random numbers are Philox, the quantiles are table and rank arithmetic: equal input gives equal bytes on any machine.
#pragma once

#include <limits>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/types.hpp"

namespace wcodec {

// Fewer independent units have no interval. No percentile interval can reach beyond the smallest and largest unit, and
// that whole range covers the median of n symmetric units with probability 1 − 2^(1−n): 93.8 % for five, 96.9 % for
// six. A 95 % interval from five or fewer would be a 95 % interval by name only. One tensor, and five equal ones, have
// none.
inline constexpr std::size_t kMinUnits = 6;

struct Weighted {
  double value = 0;
  double weight = 0;  // > 0
};

struct Interval {
  double lo = std::numeric_limits<double>::quiet_NaN();
  double hi = std::numeric_limits<double>::quiet_NaN();
  bool known() const noexcept { return lo <= hi; }
};

struct Estimate {
  double effect = std::numeric_limits<double>::quiet_NaN();  // weighted mean; NaN without units
  Interval interval;                                         // 95 %; unknown below kMinUnits
  // How sure the conclusion is that the effect lies below −margin, above +margin, or within: 1 minus the confidence of
  // the widest interval that still lies wholly in one of the three. A conclusion with p ≤ α is wrong with probability
  // at most α: of the three at most two are wrong, one at each end. p ≤ 0.05 where the 95 % interval concludes, unless
  // a few units have nearly all the weight: intervals end at the outermost resample, p goes on beyond it.
  // Where no resample lies beyond the margin, their tail is taken as normal with the resamples' standard deviation; n
  // equal units, which have no spread, have the 2^(1−n) that kMinUnits speaks of. NaN without margin or interval.
  double p = std::numeric_limits<double>::quiet_NaN();
};

struct BootstrapOptions {
  u64 seed = 0;
  u32 resamples = 10'000;
};

// Σw·v / Σw, exactly v when all values are v. NaN for no units.
double weighted_mean(std::span<const Weighted> units) noexcept;

// A checkpoint among others. Checkpoints of one family are not independent of each other.
struct ClusterOfUnits {
  std::string family;
  std::vector<Weighted> units;
};

// Estimates under one set of options. Samples of equal size are resampled alike, whatever their values: estimates do
// not depend on which others were asked for, and the draws are made once for all samples of a size.
class Bootstrap {
 public:
  explicit Bootstrap(const BootstrapOptions& options) : options_(options) {}

  // Units are the tensors of one checkpoint. Throws Error{internal} on a weight that is not positive and finite or a
  // value that is not finite.
  Estimate mean(std::span<const Weighted> units, double margin = std::numeric_limits<double>::quiet_NaN());

  // The mean over all units of all checkpoints; families are resampled, within a family its checkpoints, within a
  // checkpoint its tensors. No interval for fewer than kMinUnits families.
  Estimate pooled(std::span<const ClusterOfUnits> checkpoints,
                  double margin = std::numeric_limits<double>::quiet_NaN());

 private:
  struct Sums;
  std::vector<Sums> resampled(std::span<const Weighted> units, double origin);

  BootstrapOptions options_;
  std::map<std::size_t, std::vector<u16>> draws_;  // by sample size: which unit, resample after resample
};

// Quantile q of a weighted sample, linear between the mid-points of the units' shares (for equal weights Hazen's rule,
// type 5 of Hyndman and Fan 1996). Values that are NaN are left out; NaN if none is left.
double weighted_quantile(std::span<const Weighted> units, double q);

}  // namespace wcodec
