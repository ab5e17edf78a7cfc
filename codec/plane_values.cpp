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

}  // namespace

Reconstruction reconstruct(const PlaneValues& values, const BlockLayout& layout) {
  Reconstruction out;
  out.words.resize(values.prefixes.size());
  std::vector<u32> radius(out.words.size());
  for (std::size_t i = 0; i < out.words.size(); ++i) {
    const KnownInterval interval = values.interval(i);
    out.words[i] = interval.centre();
    radius[i] = static_cast<u32>(interval.radius());
  }
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
  const i32 half = 1 << (layout.bits - 1);
  for (i32& word : out.words) word = std::clamp(word, -half, half - 1);
  for (const u32 r : radius) out.bound = std::max(out.bound, r);
  return out;
}

}  // namespace wcodec
