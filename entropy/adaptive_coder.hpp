// Probabilities that follow the data instead of tables that are sent: a research option, to see what static tables
// miss.
#pragma once

#include "entropy/entropy_coder.hpp"

namespace wcodec {

extern const EntropyCoder kAdaptiveCoder;

}  // namespace wcodec
