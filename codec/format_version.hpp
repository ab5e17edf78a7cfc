// The version that everything written says of itself: tensor records, containers, progressive records and files. The
// normative text, with what each version is, is docs/format.md.
#pragma once

#include "core/types.hpp"

namespace wcodec {

inline constexpr u8 kFormatVersion = 0;

}  // namespace wcodec
