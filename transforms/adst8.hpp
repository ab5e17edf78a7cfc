// orthonormal 8-point DST-IV, X_k = ½ Σ x_n sin((2n+1)(2k+1)π/32), in 15 rotations: the asymmetric sine transform of
// VP9 and AV1 at this size (J. Han, Y. Xu, D. Mukherjee: "A butterfly structured design of the hybrid transform coding
// scheme", PCS 2013); by way of a complex Fourier transform of 4 points
#pragma once

#include "transforms/transform.hpp"

namespace wcodec {

struct Adst8 {
  static constexpr sv kName = "adst8";
  static constexpr u8 kId = 2;
  static constexpr sv kHelp = "integer 8x8 ADST (DST-IV, as VP9 and AV1 have it), lossless lifting";
  static constexpr std::array<Rotation, 15> kRotations = {{{7, 0, -1},  // complex numbers z0…z3, turned
                                                           {5, 2, -5},
                                                           {3, 4, -9},
                                                           {1, 6, -13},
                                                           {7, 3, 8},  // z0 ± z2 and z1 ± z3
                                                           {0, 4, 8},
                                                           {5, 1, 8},
                                                           {2, 6, 8},
                                                           {3, 1, 8},  // even frequencies
                                                           {4, 6, 8},
                                                           {7, 2, 8},  // odd ones, with their factor i
                                                           {0, 5, 8},
                                                           {2, 0, -4},  // turned back
                                                           {3, 4, -8},
                                                           {7, 5, -12}}};
  static constexpr std::array<Output, kBlockSide> kOutputs = {
      {{1, 1}, {5, 1}, {2, 1}, {4, 1}, {3, 1}, {0, 1}, {7, 1}, {6, 1}}};
};

}  // namespace wcodec
