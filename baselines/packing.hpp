// What a baseline is given: general-purpose compressors take bytes, so symbols narrower than a byte can be handed over
// one a byte or two a byte. Both are measured, since neither is best for all of them.
#pragma once

#include <vector>

#include "core/types.hpp"

namespace wcodec {

enum class Packing : u8 {
  bytes,    // one symbol a byte, as it stands
  nibbles,  // two symbols a byte, the first one in the low half; an odd count is padded with a zero
};

constexpr std::size_t packed_size(std::size_t symbols, Packing packing) noexcept {
  return packing == Packing::bytes ? symbols : symbols / 2 + symbols % 2;
}

// `out` takes packed_size(symbols.size(), nibbles) bytes; symbols are below 16.
void pack_nibbles(std::span<const u8> symbols, MutBytes out) noexcept;
// The inverse: symbols.size() symbols from packed_size(symbols.size(), nibbles) bytes.
void unpack_nibbles(Bytes packed, std::span<u8> symbols) noexcept;

// The bytes that a baseline gets for `symbols` of an alphabet of `bits` bits. Throws Error{usage} when nibbles are
// asked for and the alphabet is wider, and Error{internal} when a symbol is not of its alphabet.
std::vector<u8> pack_symbols(std::span<const u8> symbols, int bits, Packing packing);

}  // namespace wcodec
