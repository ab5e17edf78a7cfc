// 4-bit integers by groups. Symmetric: w ≈ s · q, q in −7…7. Asymmetric: w ≈ s · (q − z), q in 0…15, with the zero
// point z of each group stored as one byte.
#pragma once

#include "quantizers/quantizer.hpp"

namespace wcodec {
extern const Quantizer kInt4;
}
