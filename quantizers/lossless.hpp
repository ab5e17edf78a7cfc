// Nothing is changed: integers as they are, floats to be split into their fields (planes.hpp).
#pragma once

#include "quantizers/quantizer.hpp"

namespace wcodec {
extern const Quantizer kLossless;
}
