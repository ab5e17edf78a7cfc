// Logarithms for counting bits: the same on every machine.
#pragma once

#include <array>
#include <span>

#include "core/types.hpp"

namespace wcodec {

// log2(n) for n ≥ 1 from a table of 4096 mantissas with linear interpolation; absolute error below 1.1e-8.
double fast_log2(u32 n) noexcept;

// Total bits of a histogram under its own order-0 entropy: Σ c·log2(N/c). Approximate by fast_log2: for decisions.
double fast_entropy_bits(std::span<const u32> counts) noexcept;

// The same exactly (portable_log2): for reported figures.
double entropy_bits(std::span<const u64> counts) noexcept;

// Costs in 1/65536 bit of each symbol under a histogram with ½ added to every count; the table that mode choice uses:
// round(65536 · log2((N + A/2) / (c + ½))) for an alphabet of A symbols and N of them counted.
inline constexpr int kCostFractionBits = 16;
void smoothed_costs(std::span<const u64> counts, std::span<u32> costs) noexcept;

}  // namespace wcodec
