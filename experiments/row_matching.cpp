#include "experiments/row_matching.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

namespace wcodec {
namespace {

// Rows with mean 0 and length 1; a constant row is all zeros.
std::vector<float> normalized(std::span<const float> matrix, i64 rows, i64 cols) {
  std::vector<float> out(matrix.size());
  for (i64 row = 0; row < rows; ++row) {
    const auto first = static_cast<std::size_t>(row * cols), count = static_cast<std::size_t>(cols);
    const auto value = [&](std::size_t i) {
      const double x = matrix[first + i];
      return std::isfinite(x) ? x : 0.0;
    };
    double mean = 0, square = 0;
    for (std::size_t i = 0; i < count; ++i) mean += value(i);
    mean /= static_cast<double>(count);
    for (std::size_t i = 0; i < count; ++i) square += (value(i) - mean) * (value(i) - mean);
    const double scale = square > 0 ? 1 / std::sqrt(square) : 0;
    for (std::size_t i = 0; i < count; ++i) out[first + i] = static_cast<float>((value(i) - mean) * scale);
  }
  return out;
}

// In lanes of a fixed number, so that the order of additions is not the compiler's choice and still fits SIMD units.
float dot(const float* a, const float* b, i64 count) noexcept {
  constexpr i64 kLanes = 16;
  std::array<float, kLanes> sums{};
  i64 i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (i64 lane = 0; lane < kLanes; ++lane) sums[static_cast<std::size_t>(lane)] += a[i + lane] * b[i + lane];
  }
  float sum = 0;
  for (const float part : sums) sum += part;
  for (; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

// Rising with falling correlation.
u32 rank_key(float correlation) noexcept {
  const u32 bits = std::bit_cast<u32>(correlation);
  return bits >> 31 ? bits : ~bits & 0x7fffffffu;
}

}  // namespace

std::vector<u32> match_rows(std::span<const float> of, std::span<const float> with, i64 rows, i64 cols) {
  const std::vector<float> a = normalized(of, rows, cols), b = normalized(with, rows, cols);
  const auto count = static_cast<std::size_t>(rows);
  std::vector<u64> pairs;  // correlation, then row of `of`, then row of `with`
  pairs.reserve(count * count);
  for (i64 r = 0; r < rows; ++r) {
    for (i64 s = 0; s < rows; ++s) {
      const u32 key = rank_key(dot(a.data() + r * cols, b.data() + s * cols, cols));
      pairs.push_back(u64{key} << 32 | static_cast<u64>(r) << 16 | static_cast<u64>(s));
    }
  }
  std::sort(pairs.begin(), pairs.end());
  constexpr u32 kFree = ~u32{0};
  std::vector<u32> match(count, kFree);
  std::vector<bool> taken(count);
  for (const u64 pair : pairs) {
    const std::size_t r = pair >> 16 & 0xffff, s = pair & 0xffff;
    if (match[r] != kFree || taken[s]) continue;
    match[r] = static_cast<u32>(s);
    taken[s] = true;
  }
  return match;
}

}  // namespace wcodec
