#include "experiments/independence.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/element_values.hpp"
#include "core/error.hpp"
#include "core/portable_math.hpp"
#include "core/random_stream.hpp"
#include "experiments/csv.hpp"
#include "experiments/many_comparisons.hpp"

namespace wcodec {
namespace {

constexpr std::size_t kOwnBins = 8, kCoarseBins = 5, kContexts = kCoarseBins * kCoarseBins;
using Counts = std::array<std::array<u32, kContexts>, kOwnBins>;

// What a level is in each binning, and its normal score in 1/1024.
struct LevelTables {
  std::array<u8, 256> own{}, coarse{};
  std::array<int, 256> score{};
  LevelTables() {
    for (std::size_t level = 0; level < 256; ++level) {
      own[level] = static_cast<u8>(level * kOwnBins / 256);
      coarse[level] = static_cast<u8>(level * kCoarseBins / 256);
      const double z = portable_normal_quantile((static_cast<double>(level) + 0.5) / 256);
      score[level] = static_cast<int>(std::floor(z * 1024 + 0.5));
    }
  }
};
const LevelTables& tables() {
  static const LevelTables made;
  return made;
}

// Quintiles of a sum of four normal scores, exactly (2 Φ⁻¹(k/5)), and of their magnitudes, by the normal with their
// mean 4 √(2/π) and variance 4 (1 − 2/π). That bins are only about equally full costs no correctness: the null has them
// too.
constexpr std::array<int, 4> kSumCuts = {-1724, -519, 519, 1724};
constexpr std::array<int, 4> kMagnitudeCuts = {2229, 2955, 3581, 4307};

std::size_t bin_of(const std::array<int, 4>& cuts, int value) {
  std::size_t bin = 0;
  for (const int cut : cuts) bin += value >= cut ? 1 : 0;
  return bin;
}

double information(const Counts& counts, u64 n) {
  std::array<u64, kOwnBins> own{};
  std::array<u64, kContexts> context{};
  for (std::size_t i = 0; i < kOwnBins; ++i) {
    for (std::size_t j = 0; j < kContexts; ++j) {
      own[i] += counts[i][j];
      context[j] += counts[i][j];
    }
  }
  const auto total = static_cast<double>(n);
  double bits = 0;
  for (std::size_t i = 0; i < kOwnBins; ++i) {
    for (std::size_t j = 0; j < kContexts; ++j) {
      if (counts[i][j] == 0) continue;
      const auto joint = static_cast<double>(counts[i][j]);
      bits += joint * portable_log2(joint * total / (static_cast<double>(own[i]) * static_cast<double>(context[j])));
    }
  }
  return bits / total;
}

// Shuffles levels among the places of each class.
class ClassShuffle {
 public:
  explicit ClassShuffle(const RankField& field) : members_(kScaleClasses * kScaleClasses) {
    for (std::size_t i = 0; i < field.levels.size(); ++i) members_[field.classes[i]].push_back(static_cast<u32>(i));
  }
  void apply(std::vector<u8>& levels, Philox& random) const {
    for (const std::vector<u32>& places : members_) {
      for (std::size_t i = places.size(); i > 1; --i) {
        std::swap(levels[places[i - 1]], levels[places[random.below(static_cast<u32>(i))]]);
      }
    }
  }

 private:
  std::vector<std::vector<u32>> members_;
};

DependenceRow row_of(const Dependence& observed, std::span<const std::array<double, kNeighbourhoods>> null,
                     std::size_t n) {
  DependenceRow row;
  row.neighbourhood = static_cast<Neighbourhood>(n);
  row.pairs = observed.pairs[n];
  row.plug_in = observed.bits[n];
  const auto count = static_cast<double>(null.size());
  double sum = 0, squares = 0;
  u64 reached = 0;
  for (const auto& draw : null) {
    sum += draw[n];
    reached += draw[n] >= row.plug_in ? 1 : 0;
  }
  row.null_mean = sum / count;
  for (const auto& draw : null) squares += (draw[n] - row.null_mean) * (draw[n] - row.null_mean);
  row.null_sd = std::sqrt(squares / std::max(1.0, count - 1));
  row.bits = row.plug_in - row.null_mean;
  row.p = (1 + static_cast<double>(reached)) / (1 + count);
  return row;
}

void correct(std::span<DependenceRow> rows) {
  std::vector<double> p;
  for (const DependenceRow& row : rows) p.push_back(row.p);
  const std::vector<double> corrected = holm(p);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i].p_holm = corrected[i];
}

// All tensors together: bits weighted by pairs, and permutation k of all of them is one draw of the null.
TestedField pooled(std::span<const TestedTensor> tensors, bool without_means) {
  TestedField all;
  std::size_t draws = std::numeric_limits<std::size_t>::max();
  const auto field = [&](const TestedTensor& t) -> const TestedField& {
    return without_means ? t.without_means : t.with_means;
  };
  for (const TestedTensor& t : tensors) draws = std::min(draws, field(t).null.size());
  all.null.assign(draws, {});
  for (std::size_t n = 0; n < kNeighbourhoods; ++n) {
    u64 pairs = 0;
    for (const TestedTensor& t : tensors) pairs += field(t).observed.pairs[n];
    all.observed.pairs[n] = pairs;
    for (const TestedTensor& t : tensors) {
      const double share = static_cast<double>(field(t).observed.pairs[n]) / static_cast<double>(pairs);
      all.observed.bits[n] += share * field(t).observed.bits[n];
      for (std::size_t k = 0; k < draws; ++k) all.null[k][n] += share * field(t).null[k][n];
    }
  }
  return all;
}

}  // namespace

Dependence dependence_of(const RankField& field) {
  const LevelTables& t = tables();
  std::array<Counts, kNeighbourhoods> counts{};
  Dependence out;
  const i64 cols = field.cols;
  for (i64 r = 0; r < field.rows; ++r) {
    const u8* const row = field.levels.data() + r * cols;
    for (i64 c = 0; c < cols; ++c) {
      const std::size_t own = t.own[row[c]];
      const bool has_left = c >= 1, has_top = r >= 1;
      if (has_left) ++counts[0][own][t.own[row[c - 1]]];
      if (has_top) ++counts[1][own][t.own[row[c - cols]]];
      if (has_left && has_top) ++counts[2][own][t.coarse[row[c - 1]] * kCoarseBins + t.coarse[row[c - cols]]];
      if (r < 2 || c < 2 || c + 1 >= cols) continue;
      const std::array<int, 4> around = {t.score[row[c - 2]], t.score[row[c - 2 * cols]], t.score[row[c - cols - 1]],
                                         t.score[row[c - cols + 1]]};
      int sum = 0, magnitude = 0;
      for (const int score : around) {
        sum += score;
        magnitude += std::abs(score);
      }
      ++counts[3][own][bin_of(kSumCuts, sum) * kCoarseBins + bin_of(kMagnitudeCuts, magnitude)];
    }
  }
  const auto rows = static_cast<u64>(field.rows), width = static_cast<u64>(cols);
  out.pairs = {rows * (width - 1), (rows - 1) * width, (rows - 1) * (width - 1), (rows - 2) * (width - 3)};
  for (std::size_t n = 0; n < kNeighbourhoods; ++n) out.bits[n] = information(counts[n], out.pairs[n]);
  return out;
}

TestedField test_field(const RankField& field, u32 permutations, u64 seed, const std::string& stream) {
  if (field.rows < 3 || field.cols < 4) {
    throw Error(ErrorKind::usage, fmt::format("a block of {} x {} weights has too few neighbours: 3 x 4 is the least",
                                              field.rows, field.cols));
  }
  TestedField out;
  out.observed = dependence_of(field);
  RankField shuffled = field;
  const ClassShuffle shuffle(field);
  Philox random = random_stream(seed, stream + ":independence");
  out.null.reserve(permutations);
  for (u32 k = 0; k < permutations; ++k) {
    shuffle.apply(shuffled.levels, random);
    out.null.push_back(dependence_of(shuffled).bits);
  }
  return out;
}

TestedTensor test_tensor(const Checkpoint& checkpoint, std::size_t tensor, const std::string& tensor_hash,
                         const IndependenceOptions& options) {
  const TensorInfo& info = checkpoint.tensors().at(tensor);
  TestedTensor out;
  out.name = info.name;
  out.kind = info.kind;
  // A block about twice as wide as high, so that a wide matrix has rows to look up to.
  const auto width = static_cast<i64>(std::sqrt(static_cast<double>(2 * options.weights)));
  out.cols = std::min(info.cols, std::max<i64>(width, 4));
  out.rows = std::min(info.rows, std::max<i64>(static_cast<i64>(options.weights) / out.cols, 3));
  const i64 first_row = (info.rows - out.rows) / 2, first_col = (info.cols - out.cols) / 2;
  std::vector<u8> bytes(static_cast<std::size_t>(out.rows * info.cols) *
                        static_cast<std::size_t>(wcodec::info(info.dtype).memory_bytes));
  checkpoint.read_rows(tensor, first_row, out.rows, bytes);
  std::vector<double> whole(static_cast<std::size_t>(out.rows * info.cols));
  element_values(info.dtype, bytes, whole);
  std::vector<double> block;
  block.reserve(static_cast<std::size_t>(out.rows * out.cols));
  for (i64 r = 0; r < out.rows; ++r) {
    const auto begin = whole.begin() + r * info.cols + first_col;
    block.insert(block.end(), begin, begin + out.cols);
  }
  if (!std::all_of(block.begin(), block.end(), [](double v) { return std::isfinite(v); })) {
    throw Error(ErrorKind::unsupported, fmt::format("{} has values that are not finite", printable(info.name)));
  }
  dither(info.dtype, block, options.seed, tensor_hash);
  out.with_means = test_field(rank_field(block, out.rows, out.cols, false), options.permutations, options.seed,
                              tensor_hash + ":with");
  out.without_means = test_field(rank_field(block, out.rows, out.cols, true), options.permutations, options.seed,
                                 tensor_hash + ":without");
  return out;
}

std::vector<DependenceRow> dependence_rows(const std::string& checkpoint, std::span<const TestedTensor> tensors) {
  std::vector<DependenceRow> rows;
  if (tensors.empty()) return rows;
  for (const bool without_means : {false, true}) {
    const std::size_t first = rows.size();
    const auto add = [&](const TestedField& field, const DependenceRow& about) {
      for (std::size_t n = 0; n < kNeighbourhoods; ++n) {
        DependenceRow row = row_of(field.observed, field.null, n);
        row.checkpoint = checkpoint;
        row.tensor = about.tensor;
        row.kind = about.kind;
        row.rows = about.rows;
        row.cols = about.cols;
        row.without_means = without_means;
        rows.push_back(std::move(row));
      }
    };
    for (const TestedTensor& t : tensors) {
      DependenceRow about;
      about.tensor = plain_text(t.name);
      about.kind = t.kind;
      about.rows = t.rows;
      about.cols = t.cols;
      add(without_means ? t.without_means : t.with_means, about);
    }
    correct(std::span(rows).subspan(first));
    const std::size_t all = rows.size();
    DependenceRow about;
    about.tensor = about.kind = "all";
    add(pooled(tensors, without_means), about);
    correct(std::span(rows).subspan(all));
  }
  return rows;
}

std::string dependence_csv(std::span<const DependenceRow> rows) {
  constexpr sv kColumns[] = {"checkpoint", "tensor",  "kind",      "rows",    "cols", "means", "neighbours",
                             "pairs",      "plug_in", "null_mean", "null_sd", "bits", "p",     "p_holm"};
  CsvWriter csv(kColumns);
  for (const DependenceRow& row : rows) {
    csv.cell(row.checkpoint).cell(row.tensor).cell(row.kind);
    csv.cell(row.rows).cell(row.cols).cell(sv(row.without_means ? "removed" : "kept"));
    csv.cell(kNeighbourhoodNames[static_cast<std::size_t>(row.neighbourhood)]).cell(row.pairs);
    csv.cell(row.plug_in).cell(row.null_mean).cell(row.null_sd).cell(row.bits).cell(row.p).cell(row.p_holm);
    csv.end_row();
  }
  return csv.text();
}

}  // namespace wcodec
