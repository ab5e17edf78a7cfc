// The header of a .safetensors file: eight bytes of length, JSON, then the tensors' bytes.
// https://github.com/huggingface/safetensors — Format.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/dtype.hpp"
#include "core/sources/file.hpp"

namespace wcodec {

struct SafetensorsEntry {
  std::string name;
  DType dtype = DType::uint8;
  std::vector<i64> shape;
  u64 begin = 0, end = 0;  // in the file, not in its data part
};

struct SafetensorsHeader {
  u64 json_bytes = 0;                                         // as the file says, padding included
  std::vector<SafetensorsEntry> tensors;                      // in the order of their bytes
  std::vector<std::pair<std::string, std::string>> metadata;  // __metadata__, in the order of the file
};

// Reads and checks everything but the tensors' bytes: the tensors must cover the data part exactly, without holes or
// overlap, and each must have the size that its shape and dtype say. Throws Error naming the file and the tensor.
SafetensorsHeader read_safetensors_header(const File& file);

// `__metadata__` of a header that stands alone, without the tensors' bytes behind it. `file` is for messages.
std::vector<std::pair<std::string, std::string>> safetensors_metadata(Bytes header, sv file);
inline constexpr u64 kMaxSafetensorsHeader = 8 + 100'000'000;

}  // namespace wcodec
