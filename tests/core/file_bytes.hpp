// Bytes of checkpoint files, put together piece by piece; counts, lengths and offsets are what the caller says, not
// what is true.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "core/types.hpp"

namespace wcodec {

template <class T>
std::string little_endian(T value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof value);
}

inline std::string safetensors_bytes(const std::string& json, const std::string& data = {}) {
  return little_endian(static_cast<u64>(json.size())) + json + data;
}

namespace gguf {

enum ValueType : u32 { kU8, kI8, kU16, kI16, kU32, kI32, kF32, kBool, kString, kArray, kU64, kI64, kF64 };
enum TensorType : u32 { kTypeF32 = 0, kTypeQ4_0 = 2, kTypeQ2_K = 10, kTypeQ6_K = 14, kTypeI8 = 24 };

inline std::string text(const std::string& value) { return little_endian(static_cast<u64>(value.size())) + value; }

struct Gguf {
  std::string keys, tensors;
  u64 key_count = 0, tensor_count = 0;
  u32 version = 3;
  u64 alignment = 32;

  Gguf& key(const std::string& name, u32 type, const std::string& value) {
    keys += text(name) + little_endian(type) + value;
    ++key_count;
    return *this;
  }
  Gguf& tensor(const std::string& name, const std::vector<u64>& dimensions, u32 type, u64 offset) {
    tensors += text(name) + little_endian(static_cast<u32>(dimensions.size()));
    for (const u64 side : dimensions) tensors += little_endian(side);
    tensors += little_endian(type) + little_endian(offset);
    ++tensor_count;
    return *this;
  }
  std::string bytes(const std::string& data = {}) const {
    std::string out =
        "GGUF" + little_endian(version) + little_endian(tensor_count) + little_endian(key_count) + keys + tensors;
    out.resize((out.size() + alignment - 1) / alignment * alignment, '\0');
    return out + data;
  }
};

}  // namespace gguf
}  // namespace wcodec
