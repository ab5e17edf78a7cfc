// Zstandard as a coder of planes: what a general-purpose compressor makes of the same residuals, in the same container.
#pragma once

#include "entropy/entropy_coder.hpp"

namespace wcodec {

extern const EntropyCoder kZstdCoder;

}  // namespace wcodec
