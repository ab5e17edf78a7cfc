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
const bool kHasBmi2 = __builtin_cpu_supports("bmi2");
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
