// The Gaussian-mixture bound: what an ideal coder would pay that knows each weight's row and column scale and takes
// everything else for Gaussian chance.
#pragma once

#include "quantizers/quantized.hpp"

namespace wcodec {

// Bits a weight: the mean of −log2 p(word) where, with σ = row scale · column scale (matrix_scales.hpp),
//   integers: p(k) = exp(−k²/2σ²) / Σ_j exp(−j²/2σ²) over the alphabet (a discrete Gaussian);
//   floats:   p(x) = density of N(0, σ²) at x times the spacing of numbers at x.
// Scales themselves are not charged. NaN for formats without a meaning here (unsigned, wide integers).
double mixture_bound_bpw(const QuantizedTensor& tensor);

}  // namespace wcodec
