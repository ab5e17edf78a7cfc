// Byte strings that baselines are tried on.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/philox.hpp"

namespace wcodec::test {

inline std::vector<u8> random_bytes(std::size_t size, u64 seed) {
  Philox random(seed, 0);
  std::vector<u8> bytes(size);
  for (u8& byte : bytes) byte = static_cast<u8>(random.next32());
  return bytes;
}

// INT8 weights as quantizers make them: normal, rounded, clipped, as order-preserving words.
inline std::vector<u8> gaussian_symbols(std::size_t size, double sigma, u64 seed) {
  Philox random(seed, 1);
  std::vector<u8> bytes(size);
  for (u8& byte : bytes) byte = static_cast<u8>(std::clamp(std::lround(sigma * random.normal()), -127L, 127L) + 128);
  return bytes;
}

}  // namespace wcodec::test
