#include "entropy/log2_cost.hpp"

#include <bit>
#include <cmath>

#include "core/portable_math.hpp"

namespace wcodec {
namespace {

constexpr int kTableBits = 12;

const std::array<double, (1 << kTableBits) + 1>& mantissa_logs() noexcept {
  static const auto kTable = [] {
    std::array<double, (1 << kTableBits) + 1> table{};
    for (std::size_t i = 0; i < table.size(); ++i) {
      table[i] = portable_log2(1.0 + static_cast<double>(i) / (1 << kTableBits));
    }
    return table;
  }();
  return kTable;
}

}  // namespace

double fast_log2(u32 n) noexcept {
  const auto& table = mantissa_logs();
  const int exponent = std::bit_width(n) - 1;
  const u32 fraction = (n << (31 - exponent)) & 0x7fffffffu;  // 31 bits below the leading one
  const u32 index = fraction >> (31 - kTableBits);
  const double between =
      static_cast<double>(fraction & ((1u << (31 - kTableBits)) - 1)) * (1.0 / (1u << (31 - kTableBits)));
  return exponent + table[index] + between * (table[index + 1] - table[index]);
}

double fast_entropy_bits(std::span<const u32> counts) noexcept {
  u32 total = 0;
  double sum = 0;
  for (const u32 c : counts) {
    total += c;
    if (c > 1) sum += c * fast_log2(c);
  }
  return total > 1 ? total * fast_log2(total) - sum : 0.0;
}

double entropy_bits(std::span<const u64> counts) noexcept {
  u64 total = 0;
  for (const u64 c : counts) total += c;
  double sum = 0;
  for (const u64 c : counts) {
    if (c > 0) sum += static_cast<double>(c) * portable_log2(static_cast<double>(total) / static_cast<double>(c));
  }
  return sum;
}

void smoothed_costs(std::span<const u64> counts, std::span<u32> costs) noexcept {
  u64 total = 0;
  for (const u64 c : counts) total += c;
  const double all = static_cast<double>(total) + 0.5 * static_cast<double>(counts.size());
  for (std::size_t s = 0; s < counts.size(); ++s) {
    const double bits = portable_log2(all / (static_cast<double>(counts[s]) + 0.5));
    costs[s] = static_cast<u32>(std::floor(bits * (1 << kCostFractionBits) + 0.5));
  }
}

}  // namespace wcodec
