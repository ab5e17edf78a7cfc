#include "entropy/rans.hpp"

#include <algorithm>
#include <cstring>

namespace wcodec {
namespace {

template <bool kFused>
u8 step(u32& x, std::size_t context, const RansDecodeTables& tables) noexcept {
  const int p = tables.precision;
  const u32 slot = x & ((u32{1} << p) - 1);
  if constexpr (kFused) {
    const u32 entry = tables.slots[context << p | slot];
    x = ((entry >> 20) + 1) * (x >> p) + (entry >> 8 & 0xfff);
    return static_cast<u8>(entry);
  } else {
    const u8 symbol = tables.symbols[context << p | slot];
    const u32 range = tables.ranges[context << 8 | symbol];
    x = ((range & 0xffff) + 1) * (x >> p) + slot - (range >> 16);
    return symbol;
  }
}

template <bool kFused>
bool decode(LaneDecoder& stream, std::size_t lanes, const RansDecodeTables& tables) noexcept {
  const std::size_t blocked = blocked_symbols(stream.left, static_cast<int>(lanes)), left = stream.left;
  for (std::size_t i = 0; i < left; ++i) {
    const std::size_t in_block = i % kBlockSymbols, at = i < blocked ? i - in_block + place_in_block(in_block, 1) : i;
    u32& x = stream.x[i % lanes];
    stream.out[at] = step<kFused>(x, stream.contexts ? stream.contexts[at] : 0, tables);
    if (x >= kLaneLow) continue;
    if (stream.end - stream.next < 2) return false;
    u16 word;
    std::memcpy(&word, stream.next, 2);
    stream.next += 2;
    x = x << 16 | word;
  }
  stream.out += left;
  if (stream.contexts) stream.contexts += left;
  stream.left = 0;
  return true;
}

}  // namespace

RansEncodeTables::RansEncodeTables(std::span<const FrequencyTable> contexts)
    : entries(256 * contexts.size()), precision(contexts[0].precision) {
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const FrequencyTable& table = contexts[i / 256];
    const u32 f = std::max<u32>(table.frequency[i % 256], 1);
    entries[i] = {.reciprocal = ~u32{0} / f, .frequency = static_cast<u16>(f - 1), .start = table.start[i % 256]};
  }
}

RansDecodeTables::RansDecodeTables(std::span<const FrequencyTable> contexts) : precision(contexts[0].precision) {
  const std::size_t size = std::size_t{1} << precision;
  if (fused()) {
    slots.resize(contexts.size() * size);
  } else {
    symbols.resize(contexts.size() * size + 3);
    ranges.resize(contexts.size() * 256);
  }
  for (std::size_t k = 0; k < contexts.size(); ++k) {
    for (u32 s = 0; s < 256; ++s) {
      const u32 f = contexts[k].frequency[s], start = contexts[k].start[s];
      if (f == 0) continue;
      if (fused()) {
        for (u32 i = 0; i < f; ++i) slots[k * size + start + i] = s | i << 8 | (f - 1) << 20;
      } else {
        std::memset(symbols.data() + k * size + start, static_cast<int>(s), f);
        ranges[k * 256 + s] = (f - 1) | start << 16;
      }
    }
  }
}

std::size_t rans_encode(const u8* symbols, const u8* contexts, std::size_t count, std::size_t blocked,
                        const RansEncodeTables& tables, int lanes, LaneStates& states, u16* words_end) noexcept {
  const int p = tables.precision;
  const auto width = static_cast<std::size_t>(lanes);
  std::size_t words = 0;
  for (std::size_t i = count; i-- > 0;) {
    const std::size_t in_block = i % kBlockSymbols, at = i < blocked ? i - in_block + place_in_block(in_block, 1) : i;
    const auto& entry = tables.entries[(contexts ? std::size_t{contexts[at]} << 8 : 0) | symbols[at]];
    const u32 f = u32{entry.frequency} + 1;
    u32 x = states[i % width];
    // Whether a word leaves is random: no branch on it.
    const bool full = x >> (32 - p) >= f;
    if (words_end != nullptr) words_end[-static_cast<std::ptrdiff_t>(words + 1)] = static_cast<u16>(x);
    words += full;
    x = full ? x >> 16 : x;
    u32 quotient = static_cast<u32>(u64{entry.reciprocal} * x >> 32);
    u32 rest = x - quotient * f;
    const bool short_by_one = rest >= f;
    quotient += short_by_one;
    rest -= short_by_one ? f : 0;
    states[i % width] = (quotient << p) + rest + entry.start;
  }
  return words;
}

bool rans_decode(LaneDecoder& stream, int lanes, const RansDecodeTables& tables) noexcept {
  return tables.fused() ? decode<true>(stream, static_cast<std::size_t>(lanes), tables)
                        : decode<false>(stream, static_cast<std::size_t>(lanes), tables);
}

}  // namespace wcodec
