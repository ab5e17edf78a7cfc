// whichever of left, above, above left is nearest to their planar guess (PNG, ISO 15948 section 9.4)
#pragma once

#include <cstdlib>

#include "predictors/predictor.hpp"

namespace wcodec {

struct Paeth {
  static constexpr sv kName = "paeth";
  static constexpr u8 kId = 6;
  static constexpr sv kHelp =
      "whichever of left, above, above left is nearest to their planar guess (PNG, ISO 15948 section 9.4)";
  static constexpr u8 predict([[maybe_unused]] u8 l, [[maybe_unused]] u8 t, [[maybe_unused]] u8 tl) noexcept {
    const int to_left = std::abs(t - tl), to_top = std::abs(l - tl), to_both = std::abs(l + t - 2 * tl);
    if (to_left <= to_top && to_left <= to_both) return l;
    return to_top <= to_both ? t : tl;
  }
};

}  // namespace wcodec
