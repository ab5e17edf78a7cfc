// Counting bytes fast.
#pragma once

#include <array>
#include <span>

#include "core/types.hpp"

namespace wcodec {

// Four histograms at once: runs of one symbol would wait for their own counter.
class ByteCounts {
 public:
  // At most 2^32 − 1 symbols in all.
  void add(std::span<const u8> symbols) noexcept {
    std::size_t i = 0;
    for (; i + 4 <= symbols.size(); i += 4) {
      for (std::size_t k = 0; k < 4; ++k) ++partial_[k][symbols[i + k]];
    }
    for (; i < symbols.size(); ++i) ++partial_[0][symbols[i]];
  }
  std::array<u32, 256> counts() const noexcept {
    std::array<u32, 256> sum = partial_[0];
    for (std::size_t k = 1; k < partial_.size(); ++k) {
      for (std::size_t s = 0; s < 256; ++s) sum[s] += partial_[k][s];
    }
    return sum;
  }

 private:
  std::array<std::array<u32, 256>, 4> partial_{};
};

}  // namespace wcodec
