#include "entropy/rans.hpp"

#include <algorithm>
#include <cstring>

namespace wcodec {
namespace {

u16 load_word(const u8* words, std::size_t index) noexcept {
  u16 word;
  std::memcpy(&word, words + 2 * index, 2);
  return word;
}

template <int kLanes, bool kHasContexts, bool kDry>
std::size_t encode(const u8* symbols, const u8* contexts, std::size_t count, const RansEncodeTable* tables, u32* states,
                   u16* words_end) noexcept {
  const int precision = tables[0].precision;
  u32 x[kLanes];
  std::fill_n(x, kLanes, kRansLow);
  std::size_t words = 0;
  for (std::size_t i = count; i-- > 0;) {
    const auto& entry = tables[kHasContexts ? contexts[i] : 0].entries[symbols[i]];
    u32& state = x[i % kLanes];
    state = rans_encode_step(state, entry, precision, [&](u16 word) {
      ++words;
      if constexpr (!kDry) words_end[-static_cast<std::ptrdiff_t>(words)] = word;
    });
  }
  std::copy_n(x, kLanes, states);
  return words;
}

template <int kLanes, bool kHasContexts>
std::ptrdiff_t decode(const u8* words, std::size_t available, u32* states, const u8* contexts, std::size_t count,
                      const RansDecodeTable* tables, u8* out) noexcept {
  const int precision = tables[0].precision;
  u32 x[kLanes];
  for (int lane = 0; lane < kLanes; ++lane) {
    x[lane] = states[lane];
    if (x[lane] < kRansLow) return -1;
  }
  std::size_t next = 0, i = 0;
  // A whole round of lanes takes at most kLanes words, so one check covers it.
  for (; i + kLanes <= count && next + kLanes <= available; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const RansDecodeTable& table = tables[kHasContexts ? contexts[i + static_cast<std::size_t>(lane)] : 0];
      out[i + static_cast<std::size_t>(lane)] =
          rans_decode_step(x[lane], table.symbol_of_slot.data(), table.symbols.data(), precision);
      // Branch-free: whether a word is due is random.
      const u32 refilled = x[lane] << 16 | load_word(words, next);
      const bool due = x[lane] < kRansLow;
      x[lane] = due ? refilled : x[lane];
      next += due;
    }
  }
  for (; i < count; ++i) {
    const std::size_t lane = i % kLanes;
    const RansDecodeTable& table = tables[kHasContexts ? contexts[i] : 0];
    out[i] = rans_decode_step(x[lane], table.symbol_of_slot.data(), table.symbols.data(), precision);
    if (x[lane] < kRansLow) {
      if (next >= available) return -1;
      x[lane] = x[lane] << 16 | load_word(words, next++);
    }
  }
  for (int lane = 0; lane < kLanes; ++lane) {
    if (x[lane] != kRansLow) return -1;
  }
  return static_cast<std::ptrdiff_t>(next);
}

// Calls f<lanes>() for the lane count that a stream has.
template <class F>
auto with_lanes(int lanes, F&& f) {
  switch (lanes) {
    case 1:
      return f.template operator()<1>();
    case 8:
      return f.template operator()<8>();
    default:
      return f.template operator()<32>();
  }
}

}  // namespace

RansEncodeTable::RansEncodeTable(const FrequencyTable& table) noexcept : precision(table.precision) {
  for (std::size_t s = 0; s < 256; ++s) {
    const u32 f = table.frequency[s];
    entries[s] = {.reciprocal = f > 1 ? ~u64{0} / f + 1 : 0,
                  .limit = static_cast<u32>((u64{f} << (32 - precision)) - 1),
                  .frequency = table.frequency[s],
                  .start = table.start[s]};
  }
}

RansDecodeTable::RansDecodeTable(const FrequencyTable& table)
    : symbol_of_slot(std::size_t{1} << table.precision), precision(table.precision) {
  for (std::size_t s = 0; s < 256; ++s) {
    symbols[s] = {table.frequency[s], table.start[s]};
    std::memset(symbol_of_slot.data() + table.start[s], static_cast<int>(s), table.frequency[s]);
  }
}

std::size_t rans_encode(const u8* symbols, const u8* contexts, std::size_t count, const RansEncodeTable* tables,
                        int lanes, u32* states, u16* words_end) noexcept {
  return with_lanes(lanes, [&]<int kLanes>() {
    if (words_end == nullptr) {
      return contexts ? encode<kLanes, true, true>(symbols, contexts, count, tables, states, words_end)
                      : encode<kLanes, false, true>(symbols, contexts, count, tables, states, words_end);
    }
    return contexts ? encode<kLanes, true, false>(symbols, contexts, count, tables, states, words_end)
                    : encode<kLanes, false, false>(symbols, contexts, count, tables, states, words_end);
  });
}

std::ptrdiff_t rans_decode_prefix(const u8* words, std::size_t available, u32* states, const u8* contexts,
                                  std::size_t count, const RansDecodeTable* tables, int lanes, u8* out) noexcept {
  return with_lanes(lanes, [&]<int kLanes>() {
    return contexts ? decode<kLanes, true>(words, available, states, contexts, count, tables, out)
                    : decode<kLanes, false>(words, available, states, contexts, count, tables, out);
  });
}

bool rans_decode(const u8* words, std::size_t word_count, u32* states, const u8* contexts, std::size_t count,
                 const RansDecodeTable* tables, int lanes, u8* out) noexcept {
  return rans_decode_prefix(words, word_count, states, contexts, count, tables, lanes, out) ==
         static_cast<std::ptrdiff_t>(word_count);
}

}  // namespace wcodec
