#include "entropy/low_bits.hpp"

#include <array>
#include <cstring>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace wcodec {
namespace {

constexpr u32 kEveryByte = 0x01010101;
constexpr std::size_t kStep = kLowAlignment;  // symbols

// Where the words of a range's first symbols stand, for each part.
template <class Byte>
struct Sections {
  Byte* at[3] = {};
  Sections(const LowParts& parts, const LowRange& range, Byte* packed) noexcept {
    for (int i = 0; i < parts.count; ++i)
      at[i] = packed + parts.offset[i] + range.first * static_cast<u64>(parts.part[i].width) / 8;
  }
};

u32 load(const u8* at) noexcept {
  u32 word;
  std::memcpy(&word, at, 4);
  return word;
}

// Bytewise modulo 2^8: the top bits are added without carry.
u32 add_bytes(u32 a, u32 b) noexcept {
  constexpr u32 kTop = 0x80 * kEveryByte;
  return ((a & ~kTop) + (b & ~kTop)) ^ ((a ^ b) & kTop);
}

// Both directions take kStep symbols a step and return how many they did.
template <int kLow>
std::size_t join(u8* symbols, std::size_t count, int bits, u8 offset, const Sections<const u8>& sections) noexcept {
  constexpr LowParts kParts(0, kLow);
  const u32 mask = kEveryByte * ((1u << bits) - 1), back = kEveryByte * static_cast<u8>(-offset);
  std::size_t i = 0;
  for (; i + kStep <= count; i += kStep) {
    for (std::size_t j = 0; j < kStep / 4; ++j) {
      u32 u = load(symbols + i + 4 * j) << kLow;  // high parts are below 2^(8 − low): nothing crosses bytes
      for (int p = 0; p < kParts.count; ++p) {
        const auto [width, shift] = kParts.part[p];
        const auto w = static_cast<std::size_t>(width);
        const u32 word = load(sections.at[p] + i * w / 8 + j * w / 8 * 4);
        u |= (word >> j * w % 8 & kEveryByte * ((1u << width) - 1)) << shift;
      }
      u = add_bytes(u, back) & mask;
      std::memcpy(symbols + i + 4 * j, &u, 4);
    }
  }
  return i;
}

template <int kLow>
std::size_t split(const u8* symbols, std::size_t count, int bits, u8 offset, u8* high,
                  const Sections<u8>& sections) noexcept {
  constexpr LowParts kParts(0, kLow);
  const u32 mask = kEveryByte * ((1u << bits) - 1), add = kEveryByte * offset;
  const u32 high_mask = kEveryByte * (((1u << bits) - 1) >> kLow);
  std::size_t i = 0;
  for (; i + kStep <= count; i += kStep) {
    std::array<std::array<u32, 4>, 3> words{};
    for (std::size_t j = 0; j < kStep / 4; ++j) {
      const u32 u = add_bytes(load(symbols + i + 4 * j), add) & mask, top = u >> kLow & high_mask;
      for (std::size_t p = 0; p < static_cast<std::size_t>(kParts.count); ++p) {
        const auto [width, shift] = kParts.part[p];
        const auto w = static_cast<std::size_t>(width);
        words[p][j * w / 8] |= (u >> shift & kEveryByte * ((1u << width) - 1)) << j * w % 8;
      }
      std::memcpy(high + i + 4 * j, &top, 4);
    }
    for (std::size_t p = 0; p < static_cast<std::size_t>(kParts.count); ++p) {
      const auto w = static_cast<std::size_t>(kParts.part[p].width);
      std::memcpy(sections.at[p] + i * w / 8, words[p].data(), 4 * w);
    }
  }
  return i;
}

#if defined(__x86_64__)
// A vector's word j has symbols 4j … 4j + 3 of 32. Parts of p bits of these: their words, each to the 8/p vector words
// that read it, shifted down.
template <int kWidth>
__attribute__((target("avx2"))) __m256i spread(const u8* at) noexcept {
  __m256i words, shift;
  if constexpr (kWidth == 4) {
    words = _mm256_permutevar8x32_epi32(_mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at))),
                                        _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3));
    shift = _mm256_setr_epi32(0, 4, 0, 4, 0, 4, 0, 4);
  } else if constexpr (kWidth == 2) {
    words = _mm256_permutevar8x32_epi32(_mm256_castsi128_si256(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(at))),
                                        _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1));
    shift = _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6);
  } else {
    words = _mm256_set1_epi32(static_cast<int>(load(at)));
    shift = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  }
  return _mm256_and_si256(_mm256_srlv_epi32(words, shift), _mm256_set1_epi8((1 << kWidth) - 1));
}

template <int kWidth>
__attribute__((target("avx2"))) void collect(__m256i bits, u8* at) noexcept {
  const __m256i mine = _mm256_and_si256(bits, _mm256_set1_epi8((1 << kWidth) - 1));
  if constexpr (kWidth == 4) {
    __m256i v = _mm256_sllv_epi32(mine, _mm256_setr_epi32(0, 4, 0, 4, 0, 4, 0, 4));
    v = _mm256_or_si256(v, _mm256_shuffle_epi32(v, 0xb1));
    v = _mm256_permutevar8x32_epi32(v, _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(at), _mm256_castsi256_si128(v));
  } else {
    __m256i v = _mm256_sllv_epi32(
        mine, kWidth == 2 ? _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6) : _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    v = _mm256_or_si256(v, _mm256_shuffle_epi32(v, 0xb1));
    v = _mm256_or_si256(v, _mm256_shuffle_epi32(v, 0x4e));
    const auto first = static_cast<u32>(_mm256_cvtsi256_si32(v));
    const auto second = static_cast<u32>(_mm256_extract_epi32(v, 4));
    if constexpr (kWidth == 2) {
      std::memcpy(at, &first, 4);
      std::memcpy(at + 4, &second, 4);
    } else {
      const u32 both = first | second;
      std::memcpy(at, &both, 4);
    }
  }
}

template <int kLow>
__attribute__((target("avx2"))) std::size_t join_avx2(u8* symbols, std::size_t count, int bits, u8 offset,
                                                      const Sections<const u8>& sections) noexcept {
  constexpr LowParts kParts(0, kLow);
  const __m256i mask = _mm256_set1_epi8(static_cast<char>((1u << bits) - 1)),
                back = _mm256_set1_epi8(static_cast<char>(offset));
  std::size_t i = 0;
  for (; i + kStep <= count; i += kStep) {
    const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(symbols + i));
    __m256i u = _mm256_slli_epi16(high, kLow);  // high parts are below 2^(8 − low): nothing crosses bytes
    int p = 0;
    if constexpr ((kLow & 4) != 0) u = _mm256_or_si256(u, spread<4>(sections.at[p++] + i / 2));
    if constexpr ((kLow & 2) != 0)
      u = _mm256_or_si256(u, _mm256_slli_epi32(spread<2>(sections.at[p++] + i / 4), kLow & 4));
    if constexpr ((kLow & 1) != 0)
      u = _mm256_or_si256(u, _mm256_slli_epi32(spread<1>(sections.at[p] + i / 8), kLow & 6));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(symbols + i), _mm256_and_si256(_mm256_sub_epi8(u, back), mask));
  }
  return i;
}

template <int kLow>
__attribute__((target("avx2"))) std::size_t split_avx2(const u8* symbols, std::size_t count, int bits, u8 offset,
                                                       u8* high, const Sections<u8>& sections) noexcept {
  const __m256i mask = _mm256_set1_epi8(static_cast<char>((1u << bits) - 1)),
                add = _mm256_set1_epi8(static_cast<char>(offset)),
                high_mask = _mm256_set1_epi8(static_cast<char>(((1u << bits) - 1) >> kLow));
  const auto to = [&](int p, std::size_t byte) { return sections.at[p] + byte; };
  std::size_t i = 0;
  for (; i + kStep <= count; i += kStep) {
    const __m256i symbol = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(symbols + i));
    const __m256i u = _mm256_and_si256(_mm256_add_epi8(symbol, add), mask);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(high + i), _mm256_and_si256(_mm256_srli_epi16(u, kLow), high_mask));
    int p = 0;
    if constexpr ((kLow & 4) != 0) collect<4>(u, to(p++, i / 2));
    if constexpr ((kLow & 2) != 0) collect<2>(_mm256_srli_epi32(u, kLow & 4), to(p++, i / 4));
    if constexpr ((kLow & 1) != 0) collect<1>(_mm256_srli_epi32(u, kLow & 6), to(p, i / 8));
  }
  return i;
}

const bool kHasAvx2 = __builtin_cpu_supports("avx2");
#endif

using Join = std::size_t (*)(u8*, std::size_t, int, u8, const Sections<const u8>&) noexcept;
using Split = std::size_t (*)(const u8*, std::size_t, int, u8, u8*, const Sections<u8>&) noexcept;

template <std::size_t... kLow>
Join join_for(int low, std::index_sequence<kLow...>) noexcept {
#if defined(__x86_64__)
  static constexpr Join kFast[] = {&join_avx2<kLow>...};
  if (kHasAvx2) return kFast[low];
#endif
  static constexpr Join kPlain[] = {&join<kLow>...};
  return kPlain[low];
}
template <std::size_t... kLow>
Split split_for(int low, std::index_sequence<kLow...>) noexcept {
#if defined(__x86_64__)
  static constexpr Split kFast[] = {&split_avx2<kLow>...};
  if (kHasAvx2) return kFast[low];
#endif
  static constexpr Split kPlain[] = {&split<kLow>...};
  return kPlain[low];
}
constexpr auto kLows = std::make_index_sequence<8>();

// Where symbol i of a range has its bits of a part: byte and lowest bit.
struct Field {
  std::size_t byte;
  int bit;
  Field(std::size_t i, int width) noexcept {
    const std::size_t a_word = 32 / static_cast<std::size_t>(width), inside = i % a_word;
    byte = i / a_word * 4 + inside % 4;
    bit = width * static_cast<int>(inside / 4);
  }
};

}  // namespace

void split_low_bits(const u8* symbols, const LowRange& range, int bits, int low, u8 offset, u8* high,
                    u8* packed) noexcept {
  const LowParts parts(range.total, low);
  const Sections sections(parts, range, packed);
  const std::size_t done = split_for(low, kLows)(symbols, range.count, bits, offset, high, sections);
  for (int p = 0; p < parts.count; ++p) {
    const auto width = static_cast<std::size_t>(parts.part[p].width);
    std::memset(sections.at[p] + done * width / 8, 0, ((range.count - done) * width + 31) / 32 * 4);
  }
  for (std::size_t i = done; i < range.count; ++i) {
    const u32 u = static_cast<u8>(symbols[i] + offset) & ((1u << bits) - 1);
    high[i] = static_cast<u8>(u >> low);
    for (int p = 0; p < parts.count; ++p) {
      const auto [width, shift] = parts.part[p];
      const Field field(i, width);
      sections.at[p][field.byte] |= static_cast<u8>((u >> shift & ((1u << width) - 1)) << field.bit);
    }
  }
}

bool join_low_bits(u8* symbols, const LowRange& range, int bits, int low, u8 offset, const u8* packed) noexcept {
  const LowParts parts(range.total, low);
  const Sections sections(parts, range, packed);
  const std::size_t done = join_for(low, kLows)(symbols, range.count, bits, offset, sections);
  bool padded = true;
  for (int p = 0; p < parts.count; ++p) {
    const auto width = static_cast<std::size_t>(parts.part[p].width), a_word = 32 / width;
    for (std::size_t i = range.count; i % a_word != 0; ++i) {
      const Field field(i, parts.part[p].width);
      padded = padded && (sections.at[p][field.byte] >> field.bit & ((1u << width) - 1)) == 0;
    }
  }
  for (std::size_t i = done; i < range.count; ++i) {
    u32 u = static_cast<u32>(symbols[i]) << low;
    for (int p = 0; p < parts.count; ++p) {
      const auto [width, shift] = parts.part[p];
      const Field field(i, width);
      u |= (sections.at[p][field.byte] >> field.bit & ((1u << width) - 1)) << shift;
    }
    symbols[i] = static_cast<u8>(u - offset) & static_cast<u8>((1u << bits) - 1);
  }
  return padded;
}

}  // namespace wcodec
