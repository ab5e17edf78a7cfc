#include "entropy/low_bits.hpp"

#include <algorithm>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace wcodec {
namespace {

constexpr u64 kEveryByte = 0x0101010101010101;

// Bits of `value` spread to the low `low` bits of eight bytes, and collected from there.
u64 spread(u64 value, int low) noexcept {
  u64 out = 0;
  for (int i = 0; i < 8; ++i) out |= (value >> (i * low) & ((u64{1} << low) - 1)) << 8 * i;
  return out;
}
u64 collect(u64 value, int low) noexcept {
  u64 out = 0;
  for (int i = 0; i < 8; ++i) out |= (value >> 8 * i & ((u64{1} << low) - 1)) << (i * low);
  return out;
}

// Bytewise modulo 2^8, eight at once: the top bits are added without carry.
u64 add_bytes(u64 a, u64 b) noexcept {
  constexpr u64 kTop = 0x80 * kEveryByte;
  return ((a & ~kTop) + (b & ~kTop)) ^ ((a ^ b) & kTop);
}

template <class Spread>
[[gnu::always_inline]] inline void join(u8* symbols, std::size_t groups, int bits, int low, u8 offset, const u8* packed,
                                        Spread&& spread_bits) noexcept {
  const u64 mask = kEveryByte * ((1u << bits) - 1), back = kEveryByte * static_cast<u8>(-offset);
  for (std::size_t g = 0; g < groups; ++g) {
    u64 raw = 0, high;
    std::memcpy(&raw, packed + g * static_cast<std::size_t>(low), 8);
    std::memcpy(&high, symbols + 8 * g, 8);
    high = add_bytes(high << low | spread_bits(raw), back) & mask;
    std::memcpy(symbols + 8 * g, &high, 8);
  }
}

template <class Collect>
[[gnu::always_inline]] inline void split(const u8* symbols, std::size_t groups, int bits, int low, u8 offset, u8* high,
                                         u8* packed, Collect&& collect_bits) noexcept {
  const u64 mask = kEveryByte * ((1u << bits) - 1), add = kEveryByte * offset;
  const u64 high_mask = kEveryByte * (((1u << bits) - 1) >> low);
  for (std::size_t g = 0; g < groups; ++g) {
    u64 u;
    std::memcpy(&u, symbols + 8 * g, 8);
    u = add_bytes(u, add) & mask;
    const u64 raw = collect_bits(u), top = u >> low & high_mask;
    std::memcpy(high + 8 * g, &top, 8);
    std::memcpy(packed + g * static_cast<std::size_t>(low), &raw, 8);
  }
}

#if defined(__x86_64__)
__attribute__((target("bmi2"))) void join_bmi2(u8* symbols, std::size_t groups, int bits, int low, u8 offset,
                                               const u8* packed) noexcept {
  const u64 where = kEveryByte * ((1u << low) - 1);
  join(
      symbols, groups, bits, low, offset,
      packed, [&](u64 raw) __attribute__((target("bmi2"))) { return _pdep_u64(raw, where); });
}
__attribute__((target("bmi2"))) void split_bmi2(const u8* symbols, std::size_t groups, int bits, int low, u8 offset,
                                                u8* high, u8* packed) noexcept {
  const u64 where = kEveryByte * ((1u << low) - 1);
  split(
      symbols, groups, bits, low, offset, high,
      packed, [&](u64 u) __attribute__((target("bmi2"))) { return _pext_u64(u, where); });
}

// 32 symbols at once for 1, 2 or 4 low bits; returns how many are done.
template <int kLow>
__attribute__((target("avx2"))) std::size_t join_avx2(u8* symbols, std::size_t count, int bits, u8 offset,
                                                      const u8* packed) noexcept {
  const __m256i mask = _mm256_set1_epi8(static_cast<char>((1u << bits) - 1)),
                back = _mm256_set1_epi8(static_cast<char>(offset));
  std::size_t i = 0;
  for (; i + 32 <= count; i += 32) {
    const u8* const at = packed + i / 8 * kLow;
    __m256i low;
    if constexpr (kLow == 4) {
      const __m128i both = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
      const __m128i nibble = _mm_set1_epi8(15);
      const __m128i even = _mm_and_si128(both, nibble), odd = _mm_and_si128(_mm_srli_epi16(both, 4), nibble);
      low = _mm256_set_m128i(_mm_unpackhi_epi8(even, odd), _mm_unpacklo_epi8(even, odd));
    } else if constexpr (kLow == 2) {
      // A byte's pairs of bits to the bottoms of four bytes.
      const __m256i four = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(at)));
      const __m256i spread_out =
          _mm256_or_si256(_mm256_or_si256(four, _mm256_slli_epi32(four, 6)),
                          _mm256_or_si256(_mm256_slli_epi32(four, 12), _mm256_slli_epi32(four, 18)));
      low = _mm256_and_si256(spread_out, _mm256_set1_epi8(3));
    } else {
      // Byte i/8 to every byte, then bit i mod 8 of it.
      u32 word;
      std::memcpy(&word, at, 4);
      const __m256i bytes = _mm256_shuffle_epi8(_mm256_set1_epi32(static_cast<int>(word)),
                                                _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2,
                                                                 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3));
      const __m256i bit = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201));
      low = _mm256_and_si256(_mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit), bit), _mm256_set1_epi8(1));
    }
    const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(symbols + i));
    // High parts are below 2^(8 − low): nothing crosses from byte to byte.
    const __m256i u = _mm256_or_si256(_mm256_slli_epi16(high, kLow), low);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(symbols + i), _mm256_and_si256(_mm256_sub_epi8(u, back), mask));
  }
  return i;
}

const bool kHasBmi2 = __builtin_cpu_supports("bmi2");
const bool kHasAvx2 = __builtin_cpu_supports("avx2");
#endif

// Groups of eight whose eight-byte access to `packed` stays inside.
std::size_t whole_groups(std::size_t count, int low) noexcept {
  const std::size_t size = low_bytes(count, low), groups = count / 8;
  if (size < 8) return 0;
  return std::min(groups, (size - 8) / static_cast<std::size_t>(low) + 1);
}

}  // namespace

void split_low_bits(const u8* symbols, std::size_t count, int bits, int low, u8 offset, u8* high, u8* packed) noexcept {
  const auto mask = static_cast<u8>((1u << bits) - 1);
  if (low == 0) {
    for (std::size_t i = 0; i < count; ++i) high[i] = static_cast<u8>(symbols[i] + offset) & mask;
    return;
  }
  const std::size_t groups = whole_groups(count, low);
#if defined(__x86_64__)
  if (kHasBmi2) {
    split_bmi2(symbols, groups, bits, low, offset, high, packed);
  } else {
    split(symbols, groups, bits, low, offset, high, packed, [&](u64 u) { return collect(u, low); });
  }
#else
  split(symbols, groups, bits, low, offset, high, packed, [&](u64 u) { return collect(u, low); });
#endif
  u8* out = packed + groups * static_cast<std::size_t>(low);
  u32 pending = 0;
  int used = 0;
  for (std::size_t i = 8 * groups; i < count; ++i) {
    const u8 u = static_cast<u8>(symbols[i] + offset) & mask;
    high[i] = static_cast<u8>(u >> low);
    pending |= (u & ((1u << low) - 1)) << used;
    used += low;
    if (used >= 8) {
      *out++ = static_cast<u8>(pending);
      pending >>= 8;
      used -= 8;
    }
  }
  if (used > 0) *out = static_cast<u8>(pending);
}

bool join_low_bits(u8* symbols, std::size_t count, int bits, int low, u8 offset, const u8* packed) noexcept {
  const auto mask = static_cast<u8>((1u << bits) - 1);
  if (low == 0) {
    for (std::size_t i = 0; i < count; ++i) symbols[i] = static_cast<u8>(symbols[i] - offset) & mask;
    return true;
  }
#if defined(__x86_64__)
  if (kHasAvx2 && (low == 1 || low == 2 || low == 4)) {
    const std::size_t done = low == 4   ? join_avx2<4>(symbols, count, bits, offset, packed)
                             : low == 2 ? join_avx2<2>(symbols, count, bits, offset, packed)
                                        : join_avx2<1>(symbols, count, bits, offset, packed);
    symbols += done;
    packed += done / 8 * static_cast<std::size_t>(low);
    count -= done;
  }
#endif
  const std::size_t groups = whole_groups(count, low);
#if defined(__x86_64__)
  if (kHasBmi2) {
    join_bmi2(symbols, groups, bits, low, offset, packed);
  } else {
    join(symbols, groups, bits, low, offset, packed, [&](u64 raw) { return spread(raw, low); });
  }
#else
  join(symbols, groups, bits, low, offset, packed, [&](u64 raw) { return spread(raw, low); });
#endif
  const u8* in = packed + groups * static_cast<std::size_t>(low);
  u32 pending = 0;
  int available = 0;
  for (std::size_t i = 8 * groups; i < count; ++i) {
    if (available < low) {
      pending |= u32{*in++} << available;
      available += 8;
    }
    const u32 u = static_cast<u32>(symbols[i]) << low | (pending & ((1u << low) - 1));
    symbols[i] = static_cast<u8>(u - offset) & mask;
    pending >>= low;
    available -= low;
  }
  return pending == 0;
}

}  // namespace wcodec
