// The header of a .gguf file, versions 2 and 3: key-value metadata, then the list of tensors.
// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include <string>
#include <vector>

#include "core/sources/file.hpp"
#include "core/sources/gguf_types.hpp"

namespace wcodec {

struct GgufEntry {
  std::string name;
  std::vector<i64> shape;  // outermost first, the reverse of the file's order: the last is the row length
  const GgufType* type = nullptr;
  u64 offset = 0;  // in the file
  u64 bytes = 0;
};

// Tensors in the order of their bytes. Everything is checked against the file: counts and lengths before anything is
// allocated by them, alignment, and that tensors lie inside and do not overlap. Throws Error naming file and tensor.
std::vector<GgufEntry> read_gguf_header(const File& file);

}  // namespace wcodec
