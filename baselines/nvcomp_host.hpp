// nvCOMP on host memory: to the GPU, through nvCOMP, and back. In a build without CUDA every call says so.
#pragma once

#include <optional>

#include "baselines/baseline.hpp"
#include "baselines/nvcomp_spec.hpp"

namespace wcodec {

// A stream is the size of each chunk (32 bits, little-endian), then the chunks.
std::size_t nvcomp_bound(std::size_t size, const NvcompSpec& spec) noexcept;
std::optional<std::size_t> nvcomp_compress(Bytes in, MutBytes out, const NvcompSpec& spec, Failure& why) noexcept;
// nvCOMP's decoders trust what is in a chunk: a damaged stream may end in a fault of the GPU, which the process keeps.
// Host memory is safe.
bool nvcomp_decompress(Bytes in, MutBytes out, const NvcompSpec& spec, Failure& why) noexcept;

// Why nothing can be compressed here: a sentence, or empty where it can.
std::string why_no_nvcomp();

}  // namespace wcodec
