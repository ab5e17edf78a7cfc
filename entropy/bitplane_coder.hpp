// Symbols by bit planes from the top, each bit under the bits above it (bit_plane.hpp): what the order of a progressive
// stream costs against whole symbols.
#pragma once

#include "entropy/entropy_coder.hpp"

namespace wcodec {
extern const EntropyCoder kBitplaneCoder;

// Takes the byte that says whether bit planes follow, from the top, or residuals as read_raw reads them. Throws
// Error{corrupt | truncated}.
bool read_has_bit_planes(ByteReader& in);
}  // namespace wcodec
