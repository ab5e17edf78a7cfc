// median of left, above and their planar guess (LOCO-I, Weinberger, Seroussi and Sapiro 2000)
#pragma once

#include "predictors/predictor.hpp"

namespace wcodec {

struct Med {
  static constexpr sv kName = "med";
  static constexpr u8 kId = 5;
  static constexpr sv kHelp =
      "median of left, above and their planar guess (LOCO-I, Weinberger, Seroussi and Sapiro 2000)";
  WC_HD static constexpr u8 predict([[maybe_unused]] u8 l, [[maybe_unused]] u8 t, [[maybe_unused]] u8 tl) noexcept {
    const int low = l < t ? l : t, high = l < t ? t : l, planar = l + t - tl;
    // min, max or planar, whichever lies between: the clamp keeps the guess inside [low, high].
    return static_cast<u8>(planar < low ? low : planar > high ? high : planar);
  }
};

}  // namespace wcodec
