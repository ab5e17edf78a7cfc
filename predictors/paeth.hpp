// whichever of left, above, above left is nearest to their planar guess (PNG, ISO 15948 section 9.4)
#pragma once

#include "predictors/predictor.hpp"

namespace wcodec {

struct Paeth {
  static constexpr sv kName = "paeth";
  static constexpr u8 kId = 6;
  static constexpr sv kHelp =
      "whichever of left, above, above left is nearest to their planar guess (PNG, ISO 15948 section 9.4)";
  WC_HD static constexpr u8 predict([[maybe_unused]] u8 l, [[maybe_unused]] u8 t, [[maybe_unused]] u8 tl) noexcept {
    const auto size = [](int x) { return x < 0 ? -x : x; };
    const int to_left = size(t - tl), to_top = size(l - tl), to_both = size(l + t - 2 * tl);
    if (to_left <= to_top && to_left <= to_both) return l;
    return to_top <= to_both ? t : tl;
  }
};

}  // namespace wcodec
