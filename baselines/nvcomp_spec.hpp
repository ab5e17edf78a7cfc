// What an `nvcomp:…` spec says: the algorithm, and its options as nvCOMP reads them.
#pragma once

#include <string>

#include "baselines/nvcomp_library.hpp"
#include "core/spec.hpp"

namespace wcodec {

inline constexpr OptionInfo kNvcompOptions[] = {
    {"algo", "ans", "ans|bitcomp|cascaded|deflate|gdeflate|lz4|snappy|zstd", "algorithm"},
    {"chunk", "65536", "4096…16777216", "bytes that are compressed apart, a multiple of 4096"},
    {"type", "char", "char|float16|fp8|float32", "ans, bitcomp: what the bytes are; float16 is for bf16 too"},
    {"sub", "0", "0|4|8|16|32|64", "ans: sub-chunks of a chunk; 0 is nvCOMP's choice"},
    {"states", "0", "0|1|2", "ans: states a lane; 0 is nvCOMP's choice"},
    {"effort", "1", "0…5", "deflate, gdeflate: 0 is entropy coding alone, 5 the best ratio"},
    {"tuned", "true", "true|false", "ans: the decoder is told the options and skips validation; false: neither"}};

struct NvcompSpec {
  std::string algorithm;  // as in the functions of the library: "ANS"
  u64 chunk = 0;          // bytes that are compressed apart
  NvcompOptions compress, decompress;
};

// Throws Error{usage} for values out of range, and for options that the algorithm has not.
NvcompSpec read_nvcomp_spec(const OptionReader& reader);

}  // namespace wcodec
