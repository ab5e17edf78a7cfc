// Entropy-constrained scalar quantization: a uniform grid, finer or coarser as the rate asks for, whose words an
// entropy coder then takes to their entropy. At high rate this is within log2(πe/6)/2 = 0.254 bit a weight of the best
// that any quantizer of independent numbers can do (Gish & Pierce 1968); a deadzone, or the choice of words by their
// bits (λ), gains a little at low rate (Sullivan 1996).
//
// w ≈ s · q, q in −127…127, s = `step` times the root mean square of the weights that share it, or what their largest
// needs where that is more. Without λ, |q| = ⌊|w|/s + 1 − deadzone⌋. With λ, of that word, the next towards zero, and
// zero, the one of least (w/s − q)² + λ · bits(q); bits are those of an order-0 code of the tensor's words, first of
// the ones without λ, then once more of the ones found.
#pragma once

#include "quantizers/quantizer.hpp"

namespace wcodec {
extern const Quantizer kEcsq;
}
