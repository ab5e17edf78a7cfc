// Where the tensors of a checkpoint lie in its files: what is needed to take the files apart and write them again byte
// for byte.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/sources/gguf_types.hpp"
#include "core/sources/source.hpp"
#include "core/sources/view_spec.hpp"

namespace wcodec {

struct PlacedTensor {
  std::string name;
  DType dtype = DType::uint8;      // as the file says; of the first plane where `gguf` is set
  const GgufType* gguf = nullptr;  // of a quantized tensor; null for plain elements
  std::vector<i64> shape;          // in elements
  u64 offset = 0, bytes = 0;       // in its file
  std::optional<ViewSpec> view;    // the one of OpenOptions that matches it
};

// The bytes that no tensor covers are headers, metadata and padding.
struct PlacedFile {
  std::string path;
  u64 bytes = 0;
  bool is_gguf = false;
  std::vector<PlacedTensor> tensors;  // in the order of their bytes, without overlap
};

// All files of the checkpoint, its index of shards first. Opens and checks it as open_checkpoint does, and throws what
// that throws; Error{unsupported} for synthetic weights, which no file holds.
std::vector<PlacedFile> source_layout(const std::string& address, const OpenOptions& options = {});

}  // namespace wcodec
