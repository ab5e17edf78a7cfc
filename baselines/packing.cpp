#include "baselines/packing.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"

namespace wcodec {

void pack_nibbles(std::span<const u8> symbols, MutBytes out) noexcept {
  const std::size_t pairs = symbols.size() / 2;
  for (std::size_t i = 0; i < pairs; ++i) out[i] = static_cast<u8>(symbols[2 * i] | symbols[2 * i + 1] << 4);
  if (symbols.size() % 2 != 0) out[pairs] = symbols.back();
}

void unpack_nibbles(Bytes packed, std::span<u8> symbols) noexcept {
  const std::size_t pairs = symbols.size() / 2;
  for (std::size_t i = 0; i < pairs; ++i) {
    symbols[2 * i] = packed[i] & 15;
    symbols[2 * i + 1] = packed[i] >> 4;
  }
  if (symbols.size() % 2 != 0) symbols.back() = packed[pairs] & 15;
}

std::vector<u8> pack_symbols(std::span<const u8> symbols, int bits, Packing packing) {
  if (packing == Packing::nibbles && bits > 4) {
    throw Error(ErrorKind::usage, fmt::format("pack=nibbles needs symbols of at most 4 bits, these have {}", bits));
  }
  const auto outside = [bits](u8 symbol) { return symbol >> bits != 0; };
  if (bits < 8 && std::any_of(symbols.begin(), symbols.end(), outside)) {
    throw Error(ErrorKind::internal, fmt::format("a symbol does not fit the {} bits of its alphabet", bits));
  }
  if (packing == Packing::bytes) return {symbols.begin(), symbols.end()};
  std::vector<u8> packed(packed_size(symbols.size(), packing));
  pack_nibbles(symbols, packed);
  return packed;
}

}  // namespace wcodec
