// Checkpoints of several safetensors files: an index of shards, or a Hugging Face model directory.
#pragma once

#include <memory>
#include <string>

#include "core/sources/source.hpp"

namespace wcodec {

// `*.safetensors.index.json`: the shards that its weight_map names, sorted, from the same directory. Every tensor of
// the map must be in its shard; tensors of a shard that the map leaves out are delivered too.
std::unique_ptr<Checkpoint> open_shard_index(const std::string& path, const OpenOptions& options);

// model.safetensors, else the only *.safetensors.index.json, else all *.safetensors of the directory, sorted.
std::unique_ptr<Checkpoint> open_model_directory(const std::string& path, const OpenOptions& options);

}  // namespace wcodec
