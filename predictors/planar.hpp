// linear extrapolation, left + above - above left
#pragma once

#include "predictors/predictor.hpp"

namespace wcodec {

struct Planar {
  static constexpr sv kName = "planar";
  static constexpr u8 kId = 4;
  static constexpr sv kHelp = "linear extrapolation, left + above - above left";
  WC_HD static constexpr u8 predict([[maybe_unused]] u8 l, [[maybe_unused]] u8 t, [[maybe_unused]] u8 tl) noexcept {
    return static_cast<u8>(l + t - tl);
  }
};

}  // namespace wcodec
