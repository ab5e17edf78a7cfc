#include "codec/plane_values.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace wcodec {
namespace {

// Largest error of a sample when coefficient (u, v) is off by at most radius[8·u + v]: |A|·radius·|A|ᵀ, one pass after
// the other, and the rounding of both inverses, that of the true coefficients and that of the guessed ones.
double largest_error(const Transform& row, const std::array<double, kBlockSize>& radius) noexcept {
  std::array<double, kBlockSize> down{};
  for (std::size_t n = 0; n < kBlockSide; ++n) {
    for (std::size_t k = 0; k < kBlockSide; ++k) {
      for (std::size_t v = 0; v < kBlockSide; ++v)
        down[kBlockSide * n + v] += row.inverse_gain[kBlockSide * n + k] * radius[kBlockSide * k + v];
    }
  }
  double worst = 0;
  for (std::size_t n = 0; n < kBlockSide; ++n) {
    for (std::size_t m = 0; m < kBlockSide; ++m) {
      double sum = 0;
      for (std::size_t k = 0; k < kBlockSide; ++k)
        sum += down[kBlockSide * n + k] * row.inverse_gain[kBlockSide * m + k];
      worst = std::max(worst, sum);
    }
  }
  return worst + 2 * row.inverse_rounding;
}

// Words that are no coefficients.
void guess_words(const PlaneValues& values, const WordFormat& format, Reconstruction& out, std::vector<u32>& radius) {
  ValueBound in_value(format);
  const bool floating = format.number == NumberClass::floating;
  const i32 largest = largest_finite(format);
  for (std::size_t i = 0; i < out.words.size(); ++i) {
    const KnownInterval interval = values.interval(i);
    const i64 guess = floating ? float_guess(interval, largest) : interval.centre();
    out.words[i] = static_cast<i32>(guess);
    radius[i] = static_cast<u32>(interval.radius(guess));
    if (floating) in_value.add(interval);
  }
  out.value_bound = in_value.bound();
}

}  // namespace

Reconstruction reconstruct(const PlaneValues& values, const BlockLayout& layout) {
  Reconstruction out;
  out.words.resize(values.prefixes.size());
  std::vector<u32> radius(out.words.size());
  guess_words(values, layout.format, out, radius);
  for_each_block(layout.grid, [&](std::size_t index, std::size_t first, std::size_t stride) {
    const Transform& row =
        *layout.transforms.rows[layout.transform_of_block.empty() ? 0 : layout.transform_of_block[index]];
    if (row.id == Identity::kId) return;
    std::array<i32, kBlockSize> block{};
    std::array<double, kBlockSize> radii{};
    u32 bound = 0;
    for (std::size_t i = 0; i < kBlockSize; ++i) {
      u32& r = radius[block_place(first, stride, i)];
      block[i] = std::clamp(out.words[block_place(first, stride, i)], -kMaxCoefficient, kMaxCoefficient);
      bound = std::max(bound, r);
      radii[i] = r;
    }
    row.inverse(block.data(), block.data());
    // Errors are whole numbers. Where every coefficient is known, so is every word.
    if (bound > 0) bound = static_cast<u32>(std::floor(largest_error(row, radii)));
    for (std::size_t i = 0; i < kBlockSize; ++i) {
      out.words[block_place(first, stride, i)] = block[i];
      radius[block_place(first, stride, i)] = bound;
    }
  });
  // Clamping to what words can be brings none of them further from the truth.
  const auto highest = static_cast<i32>((i64{1} << (layout.format.bits - 1)) - 1);
  for (i32& word : out.words) word = std::clamp(word, -1 - highest, highest);
  for (const u32 r : radius) out.bound = std::max(out.bound, r);
  if (layout.format.number != NumberClass::floating) out.value_bound = out.bound;
  return out;
}

}  // namespace wcodec
