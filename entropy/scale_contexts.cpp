#include "entropy/scale_contexts.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/portable_math.hpp"
#include "entropy/bits.hpp"
#include "entropy/clustering.hpp"
#include "entropy/log2_cost.hpp"
#include "entropy/side_stream.hpp"

namespace wcodec {
namespace {

constexpr double kLevelsPerOctave = 4.0;
constexpr int kLevelBits = 6;
constexpr std::size_t kMaxSums = 2 * kMaxLevel + 1;

bool uses_rows(ContextKey key) noexcept { return key != ContextKey::column; }
bool uses_columns(ContextKey key) noexcept { return key != ContextKey::row; }

// Scales on a logarithmic axis to levels from 0, clamped to kMaxLevel below the largest: what is nearly zero has
// nothing to tell apart.
std::vector<u8> to_levels(const std::vector<double>& log_scales) {
  double largest = -1e300;
  for (const double s : log_scales) largest = std::max(largest, s);
  std::vector<int> steps(log_scales.size());
  int lowest = kMaxLevel;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const double below = std::floor((largest - log_scales[i]) * kLevelsPerOctave + 0.5);
    steps[i] = kMaxLevel - static_cast<int>(std::min(below, static_cast<double>(kMaxLevel)));
    lowest = std::min(lowest, steps[i]);
  }
  std::vector<u8> levels(steps.size());
  for (std::size_t i = 0; i < steps.size(); ++i) levels[i] = static_cast<u8>(steps[i] - lowest);
  return levels;
}

// Mean magnitude on a log2 axis: exponents are there already.
double log_mean(u64 sum, i64 count, bool log_scale) noexcept {
  const double mean = static_cast<double>(sum) / static_cast<double>(count);
  return log_scale ? mean : portable_log2(mean + 0.0625);
}

struct Levels {
  std::vector<u8> row, column;
};

Levels scale_levels(ContextKey key, const TileGrid& grid, const u8* symbols, u8 zero, bool log_scale) {
  std::array<u8, 256> magnitude{};
  for (int s = 0; s < 256; ++s)
    magnitude[static_cast<std::size_t>(s)] = static_cast<u8>(log_scale ? s : std::min(255, std::abs(s - zero)));
  const auto rows = static_cast<std::size_t>(grid.rows), cols = static_cast<std::size_t>(grid.cols);
  std::vector<u64> row_sum(rows), column_sum(cols);
  for (std::size_t r = 0; r < rows; ++r) {
    const u8* const line = symbols + r * cols;
    u64 sum = 0;
    for (std::size_t c = 0; c < cols; ++c) {
      sum += magnitude[line[c]];
      column_sum[c] += magnitude[line[c]];
    }
    row_sum[r] = sum;
  }
  Levels out;
  if (uses_rows(key)) {
    std::vector<double> scales(rows);
    for (std::size_t r = 0; r < rows; ++r) scales[r] = log_mean(row_sum[r], grid.cols, log_scale);
    out.row = to_levels(scales);
  }
  if (uses_columns(key)) {
    std::vector<double> scales(cols);
    for (std::size_t c = 0; c < cols; ++c) scales[c] = log_mean(column_sum[c], grid.rows, log_scale);
    out.column = to_levels(scales);
  }
  return out;
}

// Calls visit(index in coding order, sum of levels) for every weight.
template <class Visit>
void each_weight(const TileGrid& grid, const std::vector<u8>& row_level, const std::vector<u8>& column_level,
                 Visit&& visit) {
  std::size_t i = 0;
  for (i64 tile = 0; tile < grid.tiles(); ++tile) {
    const auto first_row = static_cast<std::size_t>(grid.first_row(tile)),
               first_col = static_cast<std::size_t>(grid.first_col(tile));
    const auto rows = static_cast<std::size_t>(grid.tile_rows(tile)),
               cols = static_cast<std::size_t>(grid.tile_cols(tile));
    for (std::size_t r = 0; r < rows; ++r) {
      const std::size_t row_part = row_level.empty() ? 0 : row_level[first_row + r];
      if (column_level.empty()) {
        for (std::size_t c = 0; c < cols; ++c) visit(i++, row_part);
      } else {
        for (std::size_t c = 0; c < cols; ++c) visit(i++, row_part + column_level[first_col + c]);
      }
    }
  }
}

double map_bits(const std::vector<u8>& levels) {
  if (levels.empty()) return 0.0;
  std::array<u32, kMaxLevel + 1> counts{};
  for (const u8 level : levels) ++counts[level];
  return fast_entropy_bits(counts) + 8.0 * 8;
}

}  // namespace

std::vector<u8> ScaleContexts::expand(const TileGrid& grid) const {
  std::vector<u8> contexts(static_cast<std::size_t>(grid.rows * grid.cols));
  if (count > 1) {
    each_weight(grid, row_level, column_level,
                [&](std::size_t i, std::size_t sum) { contexts[i] = context_of_sum[sum]; });
  }
  return contexts;
}

ScaleContexts choose_scale_contexts(ContextKey key, int limit, const TileGrid& grid, const u8* symbols, u8 zero,
                                    bool log_scale, std::span<const u8> residuals, int bits) {
  ScaleContexts out;
  if (residuals.empty() || limit < 2) return out;
  Levels levels = scale_levels(key, grid, symbols, zero, log_scale);
  const std::size_t alphabet = std::size_t{1} << bits;
  std::vector<u32> histograms(kMaxSums * alphabet);
  each_weight(grid, levels.row, levels.column,
              [&](std::size_t i, std::size_t sum) { ++histograms[sum * alphabet + residuals[i]]; });
  std::size_t sums = 0;  // one past the largest sum that occurs
  for (std::size_t s = 0; s < kMaxSums; ++s) {
    const auto* row = histograms.data() + s * alphabet;
    if (std::any_of(row, row + alphabet, [](u32 c) { return c > 0; })) sums = s + 1;
  }

  histograms.resize(sums * alphabet);
  const double maps = map_bits(levels.row) + map_bits(levels.column) + static_cast<double>(sums) + 32;
  std::vector<u8> context_of_sum = cluster_histograms(histograms, alphabet, limit, maps);
  if (context_of_sum.back() == 0) return out;
  out.count = context_of_sum.back() + 1;
  out.row_level = std::move(levels.row);
  out.column_level = std::move(levels.column);
  out.context_of_sum = std::move(context_of_sum);
  return out;
}

void write_scale_contexts(const ScaleContexts& contexts, LedgerWriter& out) {
  out.write(LedgerEntry::context, static_cast<u8>(contexts.count));
  if (contexts.count == 1) return;
  write_side_stream(contexts.row_level, kLevelBits, LedgerEntry::context, out);
  write_side_stream(contexts.column_level, kLevelBits, LedgerEntry::context, out);
  out.write(LedgerEntry::context, static_cast<u8>(contexts.context_of_sum.size()));
  // One bit a sum: does it begin the next context?
  BitWriter steps;
  for (std::size_t s = 1; s < contexts.context_of_sum.size(); ++s) {
    steps.put(contexts.context_of_sum[s] != contexts.context_of_sum[s - 1], 1);
  }
  out.append(LedgerEntry::context, steps.finish());
}

ScaleContexts read_scale_contexts(ContextKey key, const TileGrid& grid, ByteReader& in) {
  const auto corrupt = [](const char* why) { return Error(ErrorKind::corrupt, std::string("scale contexts: ") + why); };
  ScaleContexts out;
  out.count = in.read<u8>("scale contexts");
  if (out.count < 1 || out.count > kMaxContexts) throw corrupt("their number is out of range");
  if (out.count == 1) return out;
  if (uses_rows(key))
    out.row_level = read_side_stream(in, static_cast<u64>(grid.rows), kLevelBits, kMaxLevel + 1, "row levels");
  if (uses_columns(key))
    out.column_level = read_side_stream(in, static_cast<u64>(grid.cols), kLevelBits, kMaxLevel + 1, "column levels");
  const std::size_t sums = in.read<u8>("scale contexts");
  const auto largest = [](const std::vector<u8>& levels) -> std::size_t {
    return levels.empty() ? 0 : *std::max_element(levels.begin(), levels.end());
  };
  if (sums == 0 || sums > kMaxSums || largest(out.row_level) + largest(out.column_level) >= sums)
    throw corrupt("a level has no context");
  BitReader steps(in, "scale contexts");
  out.context_of_sum.resize(sums);
  for (std::size_t s = 1; s < sums; ++s)
    out.context_of_sum[s] = static_cast<u8>(out.context_of_sum[s - 1] + steps.get(1));
  steps.finish();
  if (out.context_of_sum.back() + 1 != out.count) throw corrupt("their number does not match their map");
  return out;
}

}  // namespace wcodec
