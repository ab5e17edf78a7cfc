// Lossy models: containers of one safetensors file whose matrices are words on uniform grids, and whose metadata says
// so (docs/format.md, "Lossy models"). `decode_checkpoint` gives that file byte for byte; here it becomes the model
// again: bf16 under the original names and shapes.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "codec/checkpoint_codec.hpp"

namespace wcodec {

inline constexpr sv kLossyKey = "wcodec.lossy";                   // metadata of a file of words
inline constexpr sv kLossySettingsKey = "wcodec.lossy.settings";  // how it was made; kept in what is restored
inline constexpr int kLossyGrid = 8;                              // steps are powers of 2^(1/8)

// Whether the container at `path` holds a lossy model. Throws like ContainerReader::open on anything else.
bool is_lossy_container(const std::string& path);

// Base exponents by matrix, from the value under kLossyKey. Throws Error{corrupt | unsupported}.
std::map<std::string, int> parse_lossy_description(sv text, sv file);

// 2^(exponent / 8) as float32, the same bits everywhere; |exponent| at most kMaxLossyExponent.
inline constexpr int kMaxLossyExponent = 126 * kLossyGrid;
float lossy_step(int exponent) noexcept;

// Writes a safetensors file: matrices as bf16, step times word rounded to nearest even, all else as stored. Its
// metadata keeps what the container's has but kLossyKey. stats.source_bytes are those written. Memory: a few rows at a
// time. Throws as decode_checkpoint does, and Error{unsupported} where the container holds no lossy model.
CodecStats restore_lossy(const std::string& source, const std::string& destination, const DecodeOptions& options = {});

}  // namespace wcodec
