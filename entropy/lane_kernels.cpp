#include "entropy/lane_kernels.hpp"

#include <array>
#include <cstring>
#include <type_traits>
#include <utility>

// One pass of this file for each instruction set. AVX-512 works on eight lanes a vector, as AVX2 does: gathers of eight
// are no slower than halves of gathers of sixteen, and masks and expansion are what it gains by.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "entropy/lane_kernels.cpp"
#include <hwy/foreach_target.h>  // first of all
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace wcodec {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL

namespace hn = hwy::HWY_NAMESPACE;
using Lanes = hn::CappedTag<u32, 8>;
using V = hn::Vec<Lanes>;
constexpr Lanes kLanes;
constexpr int kVectors = 4;  // of eight lanes in a round

HWY_INLINE u32 bits_of(hn::Mask<Lanes> mask) {
#if HWY_TARGET == HWY_AVX2
  return static_cast<u32>(_mm256_movemask_ps(_mm256_castsi256_ps(mask.raw)));
#else
  return mask.raw;
#endif
}

#if HWY_TARGET == HWY_AVX2
struct Shuffles {
  alignas(64) u8 expand[256][8];    // lane → which of the words that follow is its own
  alignas(64) u8 compress[256][8];  // slot → lane, those chosen in order at the end
};
constexpr Shuffles make_shuffles() {
  Shuffles out{};
  for (u32 mask = 0; mask < 256; ++mask) {
    u8 taken = 0;
    for (u32 lane = 0; lane < 8; ++lane) {
      out.expand[mask][lane] = taken;
      taken = static_cast<u8>(taken + (mask >> lane & 1));
    }
    u32 slot = 8;
    for (u32 lane = 8; lane-- > 0;) {
      if (mask >> lane & 1) out.compress[mask][--slot] = static_cast<u8>(lane);
    }
  }
  return out;
}
constexpr Shuffles kShuffles = make_shuffles();
#endif

// Lanes below 2^16 take the next words, in lane order.
HWY_INLINE V refill(V x, const u8*& next) {
  const auto due = hn::Lt(x, hn::Set(kLanes, kLaneLow));
  const u32 mask = bits_of(due);
  V words{_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(next)))};
  next += 2 * static_cast<std::size_t>(__builtin_popcount(mask));
#if HWY_TARGET == HWY_AVX2
  const __m256i which = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(kShuffles.expand[mask])));
  words = V{_mm256_permutevar8x32_epi32(words.raw, which)};
  return hn::IfThenElse(due, hn::Or(hn::ShiftLeft<16>(x), words), x);
#else
  return V{
      _mm256_mask_or_epi32(x.raw, due.raw, hn::ShiftLeft<16>(x).raw, _mm256_maskz_expand_epi32(due.raw, words.raw))};
#endif
}

// The low words of the lanes in `mask` leave, in lane order, to where they end at `end`.
HWY_INLINE void put_words(V x, u32 mask, u16*& end) {
#if HWY_TARGET == HWY_AVX2
  const __m256i which =
      _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(kShuffles.compress[mask])));
  const __m256i packed = _mm256_permutevar8x32_epi32(_mm256_and_si256(x.raw, _mm256_set1_epi32(0xffff)), which);
  const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(packed), _mm256_extracti128_si256(packed, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(end - 8), words);
  end -= __builtin_popcount(mask);
#else
  const auto chosen = static_cast<__mmask8>(mask);
  const __m128i words = _mm256_cvtepi32_epi16(_mm256_maskz_compress_epi32(chosen, x.raw));
  const int count = __builtin_popcount(mask);
  end -= count;
  _mm_mask_storeu_epi16(end, static_cast<__mmask8>((u32{1} << count) - 1), words);
#endif
}

template <int kStreams>
struct Streams {
  LaneDecoder* at[kStreams];
  V x[kStreams][kVectors];
  const u8* next[kStreams];
  u8* out[kStreams];
  const u8* contexts[kStreams];
  u64 blocks;

  HWY_INLINE explicit Streams(LaneDecoder* const* streams) {
    blocks = ~u64{0};
    for (int s = 0; s < kStreams; ++s) {
      at[s] = streams[s];
      next[s] = at[s]->next;
      out[s] = at[s]->out;
      contexts[s] = at[s]->contexts;
      blocks = HWY_MIN(blocks, at[s]->left / kBlockSymbols);
      for (int v = 0; v < kVectors; ++v) x[s][v] = hn::LoadU(kLanes, at[s]->x.data() + 8 * v);
    }
  }
  // A block takes at most `bytes`, the last load included.
  HWY_INLINE bool safe(std::ptrdiff_t bytes) const {
    for (int s = 0; s < kStreams; ++s) {
      if (at[s]->readable - next[s] < bytes) return false;
    }
    return true;
  }
  HWY_INLINE void leave() {
    for (int s = 0; s < kStreams; ++s) {
      at[s]->next = next[s];
      at[s]->left -= static_cast<u64>(out[s] - at[s]->out);
      at[s]->out = out[s];
      at[s]->contexts = contexts[s];
      for (int v = 0; v < kVectors; ++v) hn::StoreU(x[s][v], kLanes, at[s]->x.data() + 8 * v);
    }
  }
};

// Eight lanes' eight symbols each: four in `low`, four in `high`.
HWY_INLINE void store_lanes(V low, V high, u8* out) {
  const __m256i even = _mm256_unpacklo_epi32(low.raw, high.raw), odd = _mm256_unpackhi_epi32(low.raw, high.raw);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm256_permute2x128_si256(even, odd, 0x20));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 32), _mm256_permute2x128_si256(even, odd, 0x31));
}
// And back.
HWY_INLINE void load_lanes(const u8* in, V& low, V& high) {
  const __m256 a = _mm256_loadu_ps(reinterpret_cast<const float*>(in)),
               b = _mm256_loadu_ps(reinterpret_cast<const float*>(in + 32));
  low = V{_mm256_permute4x64_epi64(_mm256_castps_si256(_mm256_shuffle_ps(a, b, 0x88)), 0xd8)};
  high = V{_mm256_permute4x64_epi64(_mm256_castps_si256(_mm256_shuffle_ps(a, b, 0xdd)), 0xd8)};
}
constexpr int kLaneBytes = 8 * kLaneSymbols;  // of the eight lanes of a vector

// body(integral_constant k) for k from 7 down: shifts by k bytes are by constants.
template <int... k, class Body>
HWY_INLINE void for_each(std::integer_sequence<int, k...>, Body&& body) {
  (body(std::integral_constant<int, k>{}), ...);
}
using Backwards = std::integer_sequence<int, 7, 6, 5, 4, 3, 2, 1, 0>;

// Byte k of each 32 bits.
template <int k>
HWY_INLINE V byte_of(V v) {
  if constexpr (k == 3) return hn::ShiftRight<24>(v);
  return hn::And(hn::ShiftRight<8 * k>(v), hn::Set(kLanes, u32{0xff}));
}

// A block's symbols by rounds: those of all lanes in round k from 32k on.
struct Rows {
  alignas(32) u8 at[kBlockSymbols];
};
// Bytes 4i + k of each half to place 4k + i, then words of halves beside one another: eight lanes' bytes k together.
HWY_INLINE __m256i by_rounds(V lanes) {
  const __m256i order = _mm256_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15, 0, 4, 8, 12, 1, 5, 9, 13,
                                         2, 6, 10, 14, 3, 7, 11, 15);
  return _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(lanes.raw, order), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}
HWY_INLINE V by_lanes(__m256i rounds) {
  const __m256i order = _mm256_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15, 0, 4, 8, 12, 1, 5, 9, 13,
                                         2, 6, 10, 14, 3, 7, 11, 15);
  return V{_mm256_shuffle_epi8(_mm256_permutevar8x32_epi32(rounds, _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7)), order)};
}
HWY_INLINE void load_rows(const u8* block, Rows& rows) {
  for (int v = 0; v < kVectors; ++v) {
    V low, high;
    load_lanes(block + kLaneBytes * v, low, high);
    alignas(32) u64 words[8];
    _mm256_store_si256(reinterpret_cast<__m256i*>(words), by_rounds(low));
    _mm256_store_si256(reinterpret_cast<__m256i*>(words + 4), by_rounds(high));
    for (int k = 0; k < 8; ++k) std::memcpy(rows.at + 32 * k + 8 * v, words + k, 8);
  }
}
HWY_INLINE void store_rows(const Rows& rows, u8* block) {
  for (int v = 0; v < kVectors; ++v) {
    alignas(32) u64 words[8];
    for (int k = 0; k < 8; ++k) std::memcpy(words + k, rows.at + 32 * k + 8 * v, 8);
    store_lanes(by_lanes(_mm256_load_si256(reinterpret_cast<const __m256i*>(words))),
                by_lanes(_mm256_load_si256(reinterpret_cast<const __m256i*>(words + 4))), block + kLaneBytes * v);
  }
}

// Bytes 0 of 32 lanes.
HWY_INLINE void store_bytes(const V (&v)[kVectors], u8* out) {
  const __m256i mask = _mm256_set1_epi32(0xff);
  const __m256i low = _mm256_packus_epi32(_mm256_and_si256(v[0].raw, mask), _mm256_and_si256(v[1].raw, mask));
  const __m256i high = _mm256_packus_epi32(_mm256_and_si256(v[2].raw, mask), _mm256_and_si256(v[3].raw, mask));
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out),
                      _mm256_permutevar8x32_epi32(_mm256_packus_epi16(low, high), order));
}

HWY_INLINE V widen(const u8* eight) {
  return V{_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(eight)))};
}

// A gather waits for what was in its register before. The plain intrinsic leaves whatever was there, and so does a
// mask that the compiler knows to be full: this one it does not know, and the register is zeroed.
template <int kScale>
HWY_INLINE V gather_words(const void* table, V index) {
  __m256i all = _mm256_set1_epi32(-1);
  asm("" : "+x"(all));
  return V{_mm256_mask_i32gather_epi32(_mm256_setzero_si256(), static_cast<const int*>(table), index.raw, all, kScale)};
}
HWY_INLINE V gather(const u32* table, V index) { return gather_words<4>(table, index); }
HWY_INLINE V gather_bytes(const u8* table, V index) { return gather_words<1>(table, index); }

// A round of one stream: symbols of 32 lanes to `out`, under 32 contexts.
template <bool kFused, bool kContexts>
HWY_INLINE void rans_round(V (&states)[kVectors], const u8*& next, const RansDecodeTables& tables, const u8* contexts,
                           u8* out) {
  const int p = tables.precision;
  const V slot_mask = hn::Set(kLanes, (u32{1} << p) - 1), one = hn::Set(kLanes, u32{1});
  V symbol[kVectors];
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) {
    V& x = states[v];
    const V slot = hn::And(x, slot_mask);
    V context = hn::Zero(kLanes);
    if constexpr (kContexts) context = widen(contexts + 8 * v);
    const V index = kContexts ? hn::Or(hn::ShiftLeftSame(context, p), slot) : slot;
    const V high = hn::ShiftRightSame(x, p);
    if constexpr (kFused) {
      symbol[v] = gather(tables.slots.data(), index);
      x = hn::Add(hn::Mul(hn::Add(hn::ShiftRight<20>(symbol[v]), one), high),
                  hn::And(hn::ShiftRight<8>(symbol[v]), hn::Set(kLanes, u32{0xfff})));
    } else {
      symbol[v] = hn::And(gather_bytes(tables.symbols.data(), index), hn::Set(kLanes, u32{0xff}));
      const V range =
          gather(tables.ranges.data(), kContexts ? hn::Or(hn::ShiftLeft<8>(context), symbol[v]) : symbol[v]);
      x = hn::Sub(hn::Add(hn::Mul(hn::Add(hn::And(range, hn::Set(kLanes, u32{0xffff})), one), high), slot),
                  hn::ShiftRight<16>(range));
    }
    x = refill(x, next);
  }
  store_bytes(symbol, out);
}

template <int kStreams, bool kFused, bool kContexts>
void decode_rans(LaneDecoder* const* decoders, const RansDecodeTables& tables) {
  Streams<kStreams> streams(decoders);
  for (; streams.blocks > 0 && streams.safe(2 * kBlockSymbols + 16); --streams.blocks) {
    Rows out[kStreams], contexts[kContexts ? kStreams : 1];
    if constexpr (kContexts) {
      for (int s = 0; s < kStreams; ++s) {
        load_rows(streams.contexts[s], contexts[s]);
        streams.contexts[s] += kBlockSymbols;
      }
    }
    for (std::size_t row = 0; row < kBlockSymbols; row += kMaxLanes) {
#pragma GCC unroll 2
      for (int s = 0; s < kStreams; ++s)
        rans_round<kFused, kContexts>(streams.x[s], streams.next[s], tables,
                                      kContexts ? contexts[kContexts ? s : 0].at + row : nullptr, out[s].at + row);
    }
    for (int s = 0; s < kStreams; ++s) {
      store_rows(out[s], streams.out[s]);
      streams.out[s] += kBlockSymbols;
    }
  }
  streams.leave();
  if constexpr (kStreams == 1) {
    // What is no block.
    u64 rounds = decoders[0]->left < kBlockSymbols ? decoders[0]->left / kMaxLanes : 0;
    for (; rounds > 0 && streams.safe(2 * kMaxLanes + 16); --rounds) {
      rans_round<kFused, kContexts>(streams.x[0], streams.next[0], tables, streams.contexts[0], streams.out[0]);
      streams.out[0] += kMaxLanes;
      if constexpr (kContexts) streams.contexts[0] += kMaxLanes;
    }
    streams.leave();
  }
}

template <int kStreams>
void decode_rans_any(LaneDecoder* const* decoders, const RansDecodeTables& tables) {
  if (decoders[0]->contexts != nullptr) {
    tables.fused() ? decode_rans<kStreams, true, true>(decoders, tables)
                   : decode_rans<kStreams, false, true>(decoders, tables);
  } else {
    tables.fused() ? decode_rans<kStreams, true, false>(decoders, tables)
                   : decode_rans<kStreams, false, false>(decoders, tables);
  }
}

void rans_decode_rounds(LaneDecoder* const* streams, int count, const RansDecodeTables& tables) {
  if (count == 2) decode_rans_any<2>(streams, tables);
  decode_rans_any<1>(streams, tables);
  if (count == 2) decode_rans_any<1>(streams + 1, tables);
}

// Escaped lanes take their raw pair, in lane order.
HWY_NOINLINE const u8* take_escapes(V* x, V* entry, const u8* next, int bits) {
  alignas(32) LaneStates states, entries;
  for (int v = 0; v < kVectors; ++v) {
    hn::StoreU(x[v], kLanes, states.data() + 8 * v);
    hn::StoreU(entry[v], kLanes, entries.data() + 8 * v);
  }
  const u32 symbol_mask = (u32{1} << bits) - 1;
  for (std::size_t lane = 0; lane < kMaxLanes; ++lane) {
    if (entries[lane] >> 31 == 0) continue;
    u32& state = states[lane];
    entries[lane] = (state & symbol_mask) | (state >> bits & symbol_mask) << 8;
    state >>= 2 * bits;
    if (state >= kLaneLow) continue;
    u16 word;
    std::memcpy(&word, next, 2);
    next += 2;
    state = state << 16 | word;
  }
  for (int v = 0; v < kVectors; ++v) {
    x[v] = hn::LoadU(kLanes, states.data() + 8 * v);
    entry[v] = hn::LoadU(kLanes, entries.data() + 8 * v);
  }
  return next;
}

template <int kStreams>
void decode_pairs(LaneDecoder* const* decoders, const PairDecodeTable& table) {
  Streams<kStreams> streams(decoders);
  const V slot_mask = hn::Set(kLanes, static_cast<u32>(kPairSlots - 1));
  // A pair takes two words where it escapes.
  for (; streams.blocks > 0 && streams.safe(2 * kBlockSymbols + 16); --streams.blocks) {
    V four[kStreams][2][kVectors];  // symbols a lane, two halves
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) {
#pragma GCC unroll 2
      for (int s = 0; s < kStreams; ++s) {
        V entry[kVectors];
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) {
          V& x = streams.x[s][v];
          entry[v] = gather(table.slots.data(), hn::And(x, slot_mask));
          x = V{_mm256_srlv_epi32(x.raw, hn::And(hn::ShiftRight<16>(entry[v]), hn::Set(kLanes, u32{31})).raw)};
          x = refill(x, streams.next[s]);
        }
        const V any = hn::Or(hn::Or(entry[0], entry[1]), hn::Or(entry[2], entry[3]));
        if (HWY_UNLIKELY(_mm256_movemask_ps(_mm256_castsi256_ps(any.raw)) != 0)) {
          // Copies, so that the states themselves can stay in registers.
          V x[kVectors], entries[kVectors];
          for (int v = 0; v < kVectors; ++v) {
            x[v] = streams.x[s][v];
            entries[v] = entry[v];
          }
          streams.next[s] = take_escapes(x, entries, streams.next[s], table.bits);
          for (int v = 0; v < kVectors; ++v) {
            streams.x[s][v] = x[v];
            entry[v] = entries[v];
          }
        }
        for (int v = 0; v < kVectors; ++v) {
          V& all = four[s][k / 2][v];
          all = k % 2 == 0 ? entry[v] : V{_mm256_blend_epi16(all.raw, _mm256_slli_epi32(entry[v].raw, 16), 0xaa)};
        }
      }
    }
    for (int s = 0; s < kStreams; ++s) {
      for (int v = 0; v < kVectors; ++v) store_lanes(four[s][0][v], four[s][1][v], streams.out[s] + kLaneBytes * v);
      streams.out[s] += kBlockSymbols;
    }
  }
  streams.leave();
}

void pair_decode_rounds(LaneDecoder* const* streams, int count, const PairDecodeTable& table) {
  if (count == 2) decode_pairs<2>(streams, table);
  decode_pairs<1>(streams, table);
  if (count == 2) decode_pairs<1>(streams + 1, table);
}

// High halves of 32-bit products.
HWY_INLINE V mul_high(V a, V b) {
  const __m256i even = _mm256_srli_epi64(_mm256_mul_epu32(a.raw, b.raw), 32);
  const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(a.raw, 32), _mm256_srli_epi64(b.raw, 32));
  return V{_mm256_blend_epi32(even, odd, 0xaa)};
}

// Eight lanes' symbols (and contexts above them, in bits 8 and up) enter their states.
HWY_INLINE void put_symbols(V& x, V index, const u32* table, int p, u16*& end) {
  const V one = hn::Set(kLanes, u32{1});
  index = hn::ShiftLeft<1>(index);
  const V reciprocal = gather(table, index), range = gather(table + 1, index);
  const V f = hn::Add(hn::And(range, hn::Set(kLanes, u32{0xffff})), one);
  const auto stays = hn::Lt(hn::ShiftRightSame(x, 32 - p), f);
  put_words(x, ~bits_of(stays) & 0xff, end);
  const V now = hn::IfThenElse(stays, x, hn::ShiftRight<16>(x));
  V quotient = mul_high(now, reciprocal);
  V rest = hn::Sub(now, hn::Mul(quotient, f));
  const auto exact = hn::Lt(rest, f);
  quotient = hn::IfThenElse(exact, quotient, hn::Add(quotient, one));
  rest = hn::IfThenElse(exact, rest, hn::Sub(rest, f));
  x = hn::Add(hn::Add(hn::ShiftLeftSame(quotient, p), rest), hn::ShiftRight<16>(range));
}

template <bool kContexts>
std::size_t encode_rans(const u8* symbols, const u8* contexts, std::size_t count, std::size_t blocked,
                        const RansEncodeTables& tables, LaneStates& states, u16* words_end) {
  static_assert(sizeof(RansEncodeTables::Entry) == 8);
  const int p = tables.precision;
  const u32* table = &tables.entries[0].reciprocal;
  V x[kVectors];
  for (int v = 0; v < kVectors; ++v) x[v] = hn::LoadU(kLanes, states.data() + 8 * v);
  u16* end = words_end;
  std::size_t at = count;
  while (at > blocked) {
    at -= kMaxLanes;
    for (int v = kVectors - 1; v >= 0; --v) {
      V index = widen(symbols + at + 8 * v);
      if constexpr (kContexts) index = hn::Or(index, hn::ShiftLeft<8>(widen(contexts + at + 8 * v)));
      put_symbols(x[v], index, table, p, end);
    }
  }
  while (at > 0) {
    at -= kBlockSymbols;
    V symbols_of[2][kVectors], contexts_of[2][kVectors];
    for (int v = 0; v < kVectors; ++v) {
      load_lanes(symbols + at + kLaneBytes * v, symbols_of[0][v], symbols_of[1][v]);
      if constexpr (kContexts) load_lanes(contexts + at + kLaneBytes * v, contexts_of[0][v], contexts_of[1][v]);
    }
    for_each(Backwards(), [&](auto round) {
      constexpr int kHalf = round / 4, kByte = round % 4;
#pragma GCC unroll 4
      for (int v = kVectors - 1; v >= 0; --v) {
        V index = byte_of<kByte>(symbols_of[kHalf][v]);
        if constexpr (kContexts) index = hn::Or(index, hn::ShiftLeft<8>(byte_of<kByte>(contexts_of[kHalf][v])));
        put_symbols(x[v], index, table, p, end);
      }
    });
  }
  for (int v = 0; v < kVectors; ++v) hn::StoreU(x[v], kLanes, states.data() + 8 * v);
  return static_cast<std::size_t>(words_end - end);
}

std::size_t rans_encode_rounds(const u8* symbols, const u8* contexts, std::size_t count, std::size_t blocked,
                               const RansEncodeTables& tables, LaneStates& states, u16* words_end) {
  return contexts != nullptr ? encode_rans<true>(symbols, contexts, count, blocked, tables, states, words_end)
                             : encode_rans<false>(symbols, contexts, count, blocked, tables, states, words_end);
}

// Escaped lanes put their raw pair (the low 16 bits of `pair`), in reverse order.
HWY_NOINLINE u16* put_escapes(V* x, const V* entry, const V* pair, int bits, u16* end) {
  alignas(32) LaneStates states, entries, pairs;
  for (int v = 0; v < kVectors; ++v) {
    hn::StoreU(x[v], kLanes, states.data() + 8 * v);
    hn::StoreU(entry[v], kLanes, entries.data() + 8 * v);
    hn::StoreU(pair[v], kLanes, pairs.data() + 8 * v);
  }
  for (std::size_t lane = kMaxLanes; lane-- > 0;) {
    if (entries[lane] >> 31 == 0) continue;
    u32& state = states[lane];
    if (state >> (32 - 2 * bits) != 0) {
      *--end = static_cast<u16>(state);
      state >>= 16;
    }
    state = state << 2 * bits | (pairs[lane] & 0xff) | (pairs[lane] >> 8 & 0xff) << bits;
  }
  for (int v = 0; v < kVectors; ++v) x[v] = hn::LoadU(kLanes, states.data() + 8 * v);
  return end;
}

std::size_t pair_encode_rounds(const u8* symbols, std::size_t count, const PairEncodeTable& table, LaneStates& states,
                               u16* words_end) {
  V x[kVectors];
  for (int v = 0; v < kVectors; ++v) x[v] = hn::LoadU(kLanes, states.data() + 8 * v);
  const V first = hn::Set(kLanes, table.first), outside = hn::Set(kLanes, u32{kMaxPairSymbols});
  u16* end = words_end;
  for (std::size_t at = count; at > 0;) {
    at -= kBlockSymbols;
    V symbols_of[2][kVectors];
    for (int v = 0; v < kVectors; ++v) load_lanes(symbols + at + kLaneBytes * v, symbols_of[0][v], symbols_of[1][v]);
    for (int k = 3; k >= 0; --k) {
      V entry[kVectors], pair[kVectors];
      for (int v = 0; v < kVectors; ++v) {
        pair[v] = k % 2 == 0 ? symbols_of[k / 2][v] : hn::ShiftRight<16>(symbols_of[k / 2][v]);
        const V a = hn::Min(hn::Sub(hn::And(pair[v], hn::Set(kLanes, u32{0xff})), first), outside);
        const V b = hn::Min(hn::Sub(hn::And(hn::ShiftRight<8>(pair[v]), hn::Set(kLanes, u32{0xff})), first), outside);
        entry[v] = gather(table.entries.data(), hn::Add(hn::Add(hn::ShiftLeft<6>(a), a), b));
      }
      static_assert(PairEncodeTable::kSide == 65);
      const V any = hn::Or(hn::Or(entry[0], entry[1]), hn::Or(entry[2], entry[3]));
      if (HWY_UNLIKELY(_mm256_movemask_ps(_mm256_castsi256_ps(any.raw)) != 0)) {
        V states_now[kVectors], entries[kVectors], pairs[kVectors];
        for (int v = 0; v < kVectors; ++v) {
          states_now[v] = x[v];
          entries[v] = entry[v];
          pairs[v] = pair[v];
        }
        end = put_escapes(states_now, entries, pairs, table.bits, end);
        for (int v = 0; v < kVectors; ++v) x[v] = states_now[v];
      }
#pragma GCC unroll 4
      for (int v = kVectors - 1; v >= 0; --v) {
        const V length = hn::And(hn::ShiftRight<16>(entry[v]), hn::Set(kLanes, u32{31}));
        const auto stays =
            hn::Eq(V{_mm256_srlv_epi32(x[v].raw, hn::Sub(hn::Set(kLanes, u32{32}), length).raw)}, hn::Zero(kLanes));
        put_words(x[v], ~bits_of(stays) & 0xff, end);
        const V now = hn::IfThenElse(stays, x[v], hn::ShiftRight<16>(x[v]));
        x[v] = hn::Or(V{_mm256_sllv_epi32(now.raw, length.raw)}, hn::And(entry[v], hn::Set(kLanes, u32{0xffff})));
      }
    }
  }
  for (int v = 0; v < kVectors; ++v) hn::StoreU(x[v], kLanes, states.data() + 8 * v);
  return static_cast<std::size_t>(words_end - end);
}

LaneKernels kernels() {
  return {HWY_TARGET == HWY_AVX2 ? "avx2" : "avx512", &rans_decode_rounds, &pair_decode_rounds, &rans_encode_rounds,
          &pair_encode_rounds};
}

#else

LaneKernels kernels() { return {.name = "scalar"}; }

#endif

}  // namespace HWY_NAMESPACE
}  // namespace wcodec
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace wcodec {
namespace {

HWY_EXPORT(kernels);

LaneKernels& chosen() noexcept {
  static LaneKernels best = HWY_DYNAMIC_DISPATCH(kernels)();
  return best;
}

}  // namespace

const LaneKernels& lane_kernels() noexcept { return chosen(); }

std::vector<LaneKernels> all_lane_kernels() {
  std::vector<LaneKernels> all = {{.name = "scalar"}};
#if HWY_ARCH_X86
  const i64 supported = hwy::SupportedTargets();
#if (HWY_TARGETS & HWY_AVX2) != 0
  if ((supported & HWY_AVX2) != 0) all.push_back(N_AVX2::kernels());
#endif
#if (HWY_TARGETS & HWY_AVX3) != 0
  if ((supported & HWY_AVX3) != 0) all.push_back(N_AVX3::kernels());
#endif
#endif
  return all;
}

void force_lane_kernels(sv name) {
  chosen() = HWY_DYNAMIC_DISPATCH(kernels)();
  for (const LaneKernels& row : all_lane_kernels()) {
    if (row.name == name) chosen() = row;
  }
}

}  // namespace wcodec

#endif
