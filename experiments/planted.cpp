#include "experiments/planted.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "core/portable_math.hpp"
#include "experiments/csv.hpp"

namespace wcodec {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kFieldCorrelation = 0.9;
constexpr int kGridSteps = 31;  // 2^-7 · 2^(k/4)

// Powers of 2^(1/4) by square roots: the same everywhere.
double strength_at(int step) {
  const double quarter = std::sqrt(std::sqrt(2.0));
  double strength = 1.0 / 128;
  for (int k = 0; k < step; ++k) strength *= quarter;
  return strength;
}

// A process along each row: next = ρ · before + √(1 − ρ²) · noise.
void correlate(std::vector<double>& x, i64 rows, i64 cols, double rho) {
  const double noise = std::sqrt(1 - rho * rho);
  for (i64 r = 0; r < rows; ++r) {
    double* const row = x.data() + r * cols;
    for (i64 c = 1; c < cols; ++c) row[c] = rho * row[c - 1] + noise * row[c];
  }
}

double true_bits(Planted kind, double strength) {
  if (kind == Planted::correlation) return -0.5 * portable_log2(1 - strength * strength);
  if (kind == Planted::signs) {
    const double p = 0.5 + strength, q = 0.5 - strength;
    return 1 + p * portable_log2(p) + (q > 0 ? q * portable_log2(q) : 0);
  }
  return kNaN;
}

// One kind's replicates at one strength, against the null.
struct Trial {
  double found = 0;
  std::array<double, kNeighbourhoods> found_by{}, bits{};
};

class Trials {
 public:
  explicit Trials(const PowerOptions& options) : options_(options) {
    const TestedField null = test_field(field(Planted::correlation, 0, 0), options.permutations, options.seed, "null");
    for (std::size_t n = 0; n < kNeighbourhoods; ++n) {
      for (const auto& draw : null.null) null_[n].push_back(draw[n]);
      std::sort(null_[n].begin(), null_[n].end());
      for (const double bits : null_[n]) null_mean_[n] += bits / static_cast<double>(options.permutations);
    }
  }

  Trial run(Planted kind, double strength) const {
    Trial trial;
    for (u32 replicate = 1; replicate <= options_.replicates; ++replicate) {
      const Dependence observed = dependence_of(field(kind, strength, replicate));
      bool any = false;
      for (std::size_t n = 0; n < kNeighbourhoods; ++n) {
        const bool found = p_of(n, observed.bits[n]) <= options_.level;
        any = any || found;
        trial.found_by[n] += (found ? 1.0 : 0.0) / options_.replicates;
        trial.bits[n] += (observed.bits[n] - null_mean_[n]) / options_.replicates;
      }
      trial.found += any ? 1 : 0;
    }
    trial.found /= options_.replicates;  // once: 95 of 100 is 0.95 to the bit
    return trial;
  }

 private:
  RankField field(Planted kind, double strength, u64 replicate) const {
    return rank_field(planted_matrix(kind, strength, options_.rows, options_.cols, options_.seed, replicate),
                      options_.rows, options_.cols, false);
  }
  double p_of(std::size_t n, double bits) const {
    const auto reached = null_[n].end() - std::lower_bound(null_[n].begin(), null_[n].end(), bits);
    return static_cast<double>(1 + reached) / static_cast<double>(1 + null_[n].size());
  }

  PowerOptions options_;
  std::array<std::vector<double>, kNeighbourhoods> null_;
  std::array<double, kNeighbourhoods> null_mean_{};
};

}  // namespace

std::vector<double> planted_matrix(Planted kind, double strength, i64 rows, i64 cols, u64 seed, u64 replicate) {
  const u64 stream = static_cast<u64>(kind) << 32 | replicate;
  Philox random(seed, stream);
  std::vector<double> x(static_cast<std::size_t>(rows * cols));
  for (double& value : x) value = random.normal();
  if (strength == 0) return x;
  switch (kind) {
    case Planted::correlation:
      correlate(x, rows, cols, std::min(strength, 0.999));
      break;
    case Planted::copied_rows:
      for (i64 r = 1; r < rows; ++r) {
        if (random.uniform() < strength) std::copy_n(x.begin() + (r - 1) * cols, cols, x.begin() + r * cols);
      }
      break;
    case Planted::scale_field: {
      std::vector<double> g(x.size());
      for (double& value : g) value = random.normal();
      correlate(g, rows, cols, kFieldCorrelation);
      for (std::size_t i = 0; i < x.size(); ++i) x[i] *= portable_exp(strength * g[i]);
      break;
    }
    case Planted::signs:
      for (i64 r = 0; r < rows; ++r) {
        double* const row = x.data() + r * cols;
        for (i64 c = 1; c < cols; ++c) {
          const bool same = random.uniform() < 0.5 + strength;
          row[c] = std::abs(row[c]) * ((row[c - 1] < 0) == same ? -1 : 1);
        }
      }
      break;
  }
  return x;
}

std::vector<PowerRow> smallest_found(const PowerOptions& options) {
  if (1.0 / (1 + options.permutations) > options.level) {
    throw Error(ErrorKind::usage, fmt::format("{} permutations give no p below {:.5f}, and {:.5f} is asked for: {} do",
                                              options.permutations, 1.0 / (1 + options.permutations), options.level,
                                              std::ceil(1 / options.level) - 1));
  }
  const Trials trials(options);
  const double false_alarms = trials.run(Planted::correlation, 0).found;
  std::vector<PowerRow> rows;
  for (std::size_t k = 0; k < kPlantedKinds; ++k) {
    const auto kind = static_cast<Planted>(k);
    const double most = kind == Planted::signs ? 0.5 : kind == Planted::correlation ? 0.99 : 1.5;
    const auto strength = [&](int step) { return std::min(strength_at(step), most); };
    PowerRow row;
    row.kind = kind;
    row.false_alarms = false_alarms;
    int low = -1, high = kGridSteps - 1;
    Trial at_high = trials.run(kind, strength(high));
    if (at_high.found < options.power) low = high;  // nothing on the grid
    while (high - low > 1) {
      const int middle = (low + high) / 2;
      Trial trial = trials.run(kind, strength(middle));
      if (trial.found >= options.power) {
        high = middle;
        at_high = trial;
      } else {
        low = middle;
      }
    }
    const auto best = std::max_element(at_high.found_by.begin(), at_high.found_by.end()) - at_high.found_by.begin();
    row.best = static_cast<Neighbourhood>(best);
    row.found = at_high.found;
    row.bits = at_high.bits[static_cast<std::size_t>(best)];
    row.strength = low == high ? kNaN : strength(high);
    row.true_bits = low == high ? kNaN : true_bits(kind, row.strength);
    rows.push_back(row);
  }
  return rows;
}

std::string power_csv(std::span<const PowerRow> rows, const PowerOptions& options) {
  constexpr sv kColumns[] = {"planted", "rows",       "cols", "level",     "replicates",  "strength",
                             "found",   "neighbours", "bits", "true_bits", "false_alarms"};
  CsvWriter csv(kColumns);
  for (const PowerRow& row : rows) {
    csv.cell(kPlantedNames[static_cast<std::size_t>(row.kind)]).cell(options.rows).cell(options.cols);
    csv.cell(options.level).cell(u64{options.replicates}).cell(row.strength).cell(row.found);
    csv.cell(kNeighbourhoodNames[static_cast<std::size_t>(row.best)]).cell(row.bits).cell(row.true_bits);
    csv.cell(row.false_alarms);
    csv.end_row();
  }
  return csv.text();
}

}  // namespace wcodec
