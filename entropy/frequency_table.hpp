// Frequency tables: how likely each symbol is, in units of 2^-precision, and how a table is written in few bytes.
//
// What is written is not the frequencies but weights with m significant bits after the leading one, chosen by the
// encoder (a count of a few hundred is no more certain than that); both sides then normalise the weights to frequencies
// by the same integer rule, and the encoder codes with the result.
#pragma once

#include <array>
#include <span>

#include "entropy/bits.hpp"

namespace wcodec {

inline constexpr int kMinPrecision = 8, kMaxPrecision = 15;

struct FrequencyTable {
  int precision = 0;                 // frequencies sum to 2^precision
  std::array<u16, 256> frequency{};  // 0: the symbol does not occur. 2^15 fits
  std::array<u16, 256> start{};      // sum of the frequencies before
};

// Frequencies ≥ 1 for every weight > 0, summing to 2^precision: largest remainders; what the forced ones take is given
// up by the others in proportion. Deterministic integer arithmetic. At least one weight is > 0; weights are below 2^32,
// at most 2^precision of them.
FrequencyTable normalize(std::span<const u32> weights, int precision) noexcept;

// Chooses the significant bits that cost least in all, writes the table for symbols counted by `counts` (2^bits of
// them, sum > 0) and returns the frequencies that the reader will see.
FrequencyTable write_table(std::span<const u32> counts, int precision, BitWriter& out);

// Inverse. Throws Error{corrupt} or Error{truncated}.
FrequencyTable read_table(int bits, int precision, BitReader& in);

// Σ count · log2(2^precision / frequency): the payload in bits that the table implies.
double implied_bits(std::span<const u32> counts, const FrequencyTable& table) noexcept;

}  // namespace wcodec
