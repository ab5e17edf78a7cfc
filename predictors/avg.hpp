// mean of left and above, rounded down
#pragma once

#include "predictors/predictor.hpp"

namespace wcodec {

struct Avg {
  static constexpr sv kName = "avg";
  static constexpr u8 kId = 3;
  static constexpr sv kHelp = "mean of left and above, rounded down";
  WC_HD static constexpr u8 predict([[maybe_unused]] u8 l, [[maybe_unused]] u8 t, [[maybe_unused]] u8 tl) noexcept {
    return static_cast<u8>((l + t) >> 1);
  }
};

}  // namespace wcodec
