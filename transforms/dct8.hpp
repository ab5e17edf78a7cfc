// orthonormal 8-point DCT-II, X_k = c_k Σ x_n cos((2n+1)kπ/16), in 13 rotations (the even-odd split of W.-H. Chen,
// C. Smith, S. Fralick: "A fast computational algorithm for the discrete cosine transform", 1977; the odd half is a
// DCT-IV of 4 points by way of a complex Fourier transform of 2)
#pragma once

#include "transforms/transform.hpp"

namespace wcodec {

struct Dct8 {
  static constexpr sv kName = "dct8";
  static constexpr u8 kId = 1;
  static constexpr sv kHelp = "integer 8x8 DCT-II, lossless lifting (JPEG's and every video codec's main transform)";
  static constexpr std::array<Rotation, 13> kRotations = {{{0, 7, 8},  // differences 0…3, sums 7…4
                                                           {1, 6, 8},
                                                           {2, 5, 8},
                                                           {3, 4, 8},
                                                           {7, 4, 8},  // even half: the same again
                                                           {6, 5, 8},
                                                           {4, 5, 8},
                                                           {7, 6, -4},
                                                           {0, 3, -2},  // odd half: complex numbers (0, 3) and (2, 1)
                                                           {2, 1, -10},
                                                           {0, 2, 8},
                                                           {3, 1, 8},
                                                           {0, 3, -8}}};
  static constexpr std::array<Output, kBlockSide> kOutputs = {
      {{5, 1}, {2, 1}, {7, 1}, {3, -1}, {4, 1}, {0, 1}, {6, -1}, {1, -1}}};
};

}  // namespace wcodec
