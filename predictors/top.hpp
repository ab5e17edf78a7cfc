// the symbol above
#pragma once

#include "predictors/predictor.hpp"

namespace wcodec {

struct Top {
  static constexpr sv kName = "top";
  static constexpr u8 kId = 2;
  static constexpr sv kHelp = "the symbol above";
  WC_HD static constexpr u8 predict([[maybe_unused]] u8 l, [[maybe_unused]] u8 t, [[maybe_unused]] u8 tl) noexcept {
    return t;
  }
};

}  // namespace wcodec
