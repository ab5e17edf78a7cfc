// Constants of the tensor record, shared by its writer and its reader. The normative text is docs/format.md.
#pragma once

#include "core/types.hpp"

namespace wcodec::record {

inline constexpr u32 kMagic = 0x30544357;  // "WCT0"
inline constexpr u8 kVersion = 0;
inline constexpr u8 kTransformIdentity = 0;  // otherwise the number of transforms, whose ids follow
inline constexpr int kMaxTransforms = 16;
inline constexpr int kMaxModes = 64;

}  // namespace wcodec::record
