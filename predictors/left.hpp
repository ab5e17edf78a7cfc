// the symbol to the left
#pragma once

#include "predictors/predictor.hpp"

namespace wcodec {

struct Left {
  static constexpr sv kName = "left";
  static constexpr u8 kId = 1;
  static constexpr sv kHelp = "the symbol to the left";
  WC_HD static constexpr u8 predict([[maybe_unused]] u8 l, [[maybe_unused]] u8 t, [[maybe_unused]] u8 tl) noexcept {
    return l;
  }
};

}  // namespace wcodec
