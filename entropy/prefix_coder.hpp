// Pairs of symbols in a length-limited prefix code, over raw low bits where these hold nothing to gain: almost rANS's
// ratio at a fraction of its work.
#pragma once

#include "entropy/entropy_coder.hpp"

namespace wcodec {

extern const EntropyCoder kPrefixCoder;

}  // namespace wcodec
