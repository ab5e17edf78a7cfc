// no transform: the residuals as they are
#pragma once

#include "transforms/transform.hpp"

namespace wcodec {

struct Identity {
  static constexpr sv kName = "identity";
  static constexpr u8 kId = 0;
  static constexpr sv kHelp = "no transform: residuals as they are";
  static constexpr std::array<Rotation, 0> kRotations{};
  static constexpr std::array<Output, kBlockSide> kOutputs = {
      {{0, 1}, {1, 1}, {2, 1}, {3, 1}, {4, 1}, {5, 1}, {6, 1}, {7, 1}}};
};

}  // namespace wcodec
