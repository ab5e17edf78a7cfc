// Symbols cut into a coded high part and raw low bits, and joined again: u = (symbol + offset) mod 2^bits, high = u >>
// low, the low bits packed lowest first.
#pragma once

#include "core/types.hpp"

namespace wcodec {

constexpr std::size_t low_bytes(u64 count, int low) noexcept {
  return static_cast<std::size_t>((count * static_cast<u64>(low) + 7) / 8);
}

// Appends nothing where low = 0. `high` and `packed` have room for count symbols and low_bytes(count, low) bytes; the
// last byte is padded with zeros.
void split_low_bits(const u8* symbols, std::size_t count, int bits, int low, u8 offset, u8* high, u8* packed) noexcept;
// In place: symbols come in as high parts. False if padding bits are not zero.
bool join_low_bits(u8* symbols, std::size_t count, int bits, int low, u8 offset, const u8* packed) noexcept;

}  // namespace wcodec
