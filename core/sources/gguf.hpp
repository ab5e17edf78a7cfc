// Checkpoints in one .gguf file.
#pragma once

#include <memory>
#include <string>

#include "core/sources/source.hpp"

namespace wcodec {

// A quantized tensor NAME is delivered as several, one for each part of its blocks and in the order of the elements:
//   Q4_0 Q5_0 Q8_0        NAME.codes (int4, int5, int8), NAME.scales (f16)
//   Q4_1 Q5_1             NAME.codes (uint4, uint5), NAME.scales, NAME.mins (f16)
//   Q4_K Q5_K             NAME.codes (uint4, uint5), NAME.subscales, NAME.submins (uint6), NAME.d, NAME.dmin (f16)
//   Q6_K                  NAME.codes (int6), NAME.subscales (int8), NAME.d (f16)
//   IQ4_NL MXFP4          NAME.codes (uint4, an index into a table), NAME.scales (f16, f8_e8m0)
//   all others            NAME.blocks (uint8, the bytes as they are)
// Their source_bytes add up to the bytes of NAME in the file.
std::unique_ptr<Checkpoint> open_gguf(const std::string& path, const OpenOptions& options);

}  // namespace wcodec
