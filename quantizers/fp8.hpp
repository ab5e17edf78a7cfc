// 8-bit floats with a scale: w ≈ s · q with q in OCP E4M3 (largest 448) or E5M2 (largest 57344); the largest weight of
// a scale's group maps to the largest number. Format: OCP 8-bit Floating Point Specification (OFP8), revision 1.0.
#pragma once

#include "quantizers/quantizer.hpp"

namespace wcodec {
extern const Quantizer kFp8;
}
