// Which coders the GPU benchmark tries on which data.
#pragma once

#include <string>
#include <vector>

#include "core/types.hpp"

namespace wcodec {

// Specs of our coders that the GPU decodes, with the chunks worth trying at this size.
std::vector<std::string> wcodec_sweep(sv data, u64 mebibytes);
// `nvcomp:…` specs: ANS over chunks, sub-chunks, states and data types, tuned and not; the other algorithms over
// efforts.
std::vector<std::string> nvcomp_sweep(sv data, u64 mebibytes);
// Those that share a front: "wcodec", "nvcomp:ans", "nvcomp:zstd".
std::string family_of(const std::string& spec);

}  // namespace wcodec
