// Opening a checkpoint from the address a user writes in a config or on the command line.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "core/tensor.hpp"

namespace wcodec {

struct OpenOptions {
  // Tensor-name glob → how its packed codes are to be read, e.g. "*.codes" → "int4:nibbles=low-first,bias=8".
  std::map<std::string, std::string> views;
  u64 max_tensor_bytes = u64{1} << 40;  // a tensor above this is refused before anything is allocated
};

// Address: a path to .safetensors, .gguf, an index of shards (.safetensors.index.json) or a Hugging Face directory;
// `pip:PACKAGE/path/in/package`, `hf://org/name[@revision]`, `synthetic:gaussian:rows=…,cols=…,seed=…`.
// Throws Error{not_found} where it cannot be had, saying in one sentence how to get it.
std::unique_ptr<Checkpoint> open_checkpoint(const std::string& address, const OpenOptions& options = {});

}  // namespace wcodec
