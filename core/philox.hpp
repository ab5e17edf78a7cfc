// Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2,
// 3", SC 2011). The same seed and stream give the same numbers on every machine, thread count and compiler.
#pragma once

#include <array>

#include "core/types.hpp"

namespace wcodec {

constexpr std::array<u32, 4> philox4x32(std::array<u32, 4> counter, std::array<u32, 2> key) noexcept {
  for (int round = 0; round < 10; ++round) {
    const u64 p0 = u64{0xD2511F53u} * counter[0];
    const u64 p1 = u64{0xCD9E8D57u} * counter[2];
    counter = {static_cast<u32>(p1 >> 32) ^ counter[1] ^ key[0], static_cast<u32>(p1),
               static_cast<u32>(p0 >> 32) ^ counter[3] ^ key[1], static_cast<u32>(p0)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

// A sequential view of one stream.
class Philox {
 public:
  Philox(u64 seed, u64 stream) noexcept
      : key_{static_cast<u32>(seed), static_cast<u32>(seed >> 32)},
        counter_{0, 0, static_cast<u32>(stream), static_cast<u32>(stream >> 32)} {}

  u32 next32() noexcept {
    if (used_ == 4) {
      block_ = philox4x32(counter_, key_);
      if (++counter_[0] == 0) ++counter_[1];
      used_ = 0;
    }
    return block_[used_++];
  }
  u64 next64() noexcept {
    const u64 low = next32();
    return low | u64{next32()} << 32;
  }
  // Uniform in [0, bound), bound > 0, without bias (Lemire 2019, rejection on the low half of the product).
  u32 below(u32 bound) noexcept {
    u64 product = u64{next32()} * bound;
    if (static_cast<u32>(product) < bound) {
      const u32 threshold = (0u - bound) % bound;
      while (static_cast<u32>(product) < threshold) product = u64{next32()} * bound;
    }
    return static_cast<u32>(product >> 32);
  }
  u64 below64(u64 bound) noexcept {
    if (bound <= 0xffffffffu) return below(static_cast<u32>(bound));
    const u64 limit = ~u64{0} - ~u64{0} % bound;
    u64 value = next64();
    while (value >= limit) value = next64();
    return value % bound;
  }
  // Uniform in (0, 1): 53 bits, never 0 and never 1.
  double uniform() noexcept { return (static_cast<double>(next64() >> 12) + 0.5) * 0x1p-52; }
  // Standard normal, exact to the same bit everywhere: see portable_math.hpp.
  double normal() noexcept;

 private:
  std::array<u32, 2> key_;
  std::array<u32, 4> counter_;
  std::array<u32, 4> block_{};
  unsigned used_ = 4;
};

}  // namespace wcodec
