// Symmetric 8-bit integers: w ≈ s · q, q in −127…127, one scale a tensor, row, column or group.
#pragma once

#include "quantizers/quantizer.hpp"

namespace wcodec {
extern const Quantizer kInt8;
}
