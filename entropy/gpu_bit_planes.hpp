// Bit planes of a coded plane as the GPU decodes them, one after the other: each finds the bits above it where its own
// go. Positions count from the image's beginning (gpu_stream.hpp).
#pragma once

#include "core/types.hpp"

namespace wcodec {

struct GpuBitPlane {
  enum class Kind : u8 { stored, constant, coded };
  Kind kind;
  u8 known;       // bits above
  u8 level;       // contexts are their top bits, so many of them
  u8 log2_chunk;  // coded
  u64 table;      // of each context, u16: how often of 2^kBitPlanePrecision the bit is 0
  u64 offsets;    // coded: chunks + 1 × u64, from `bytes`
  u64 bytes;      // chunks, or the packed bits
};

}  // namespace wcodec
