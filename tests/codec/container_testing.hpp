// Checkpoints that the container's tests encode.
#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

#include "codec/checkpoint_codec.hpp"
#include "core/dtype.hpp"
#include "core/philox.hpp"
#include "tests/core/checkpoint_files.hpp"

namespace wcodec {

inline std::string file_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

// Flips the bits first, first + step, … of a container, one at a time, in place; how many of them a full decode
// accepts.
inline u64 flips_accepted(const std::string& path, u64 first, u64 step) {
  const std::string bytes = file_bytes(path);
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  DecodeOptions options;
  options.threads = 1;
  u64 accepted = 0;
  for (u64 bit = first; bit < bytes.size() * 8; bit += step) {
    const auto flipped = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    EXPECT_EQ(::pwrite(descriptor, &flipped, 1, static_cast<off_t>(bit / 8)), 1);
    try {
      check_container(path, options);
      ++accepted;
    } catch (const Error&) {
    }
    EXPECT_EQ(::pwrite(descriptor, &bytes[bit / 8], 1, static_cast<off_t>(bit / 8)), 1);
  }
  ::close(descriptor);
  return accepted;
}

struct MadeTensor {
  std::string name;
  std::string dtype;
  std::vector<i64> shape;
  std::string bytes;
};

// A safetensors file of these tensors, in their order.
inline std::string make_safetensors(const std::vector<MadeTensor>& tensors,
                                    const std::string& metadata = R"("__metadata__":{"format":"pt"})") {
  std::string json = "{" + metadata, data;
  for (const MadeTensor& tensor : tensors) {
    std::string shape;
    for (const i64 side : tensor.shape) shape += fmt::format("{}{}", shape.empty() ? "" : ",", side);
    json += fmt::format(R"({}"{}":{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", json.size() > 1 ? "," : "",
                        tensor.name, tensor.dtype, shape, data.size(), data.size() + tensor.bytes.size());
    data += tensor.bytes;
  }
  json += "}  ";
  return safetensors_bytes(json, data);
}

inline std::string random_bytes(std::size_t size, u64 seed) {
  Philox random(seed, 7);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.below(256));
  return bytes;
}

// Numbers like weights where the type is one of floats, small ones elsewhere.
inline std::string weight_bytes(DType dtype, std::size_t count, u64 seed) {
  Philox random(seed, static_cast<u64>(dtype));
  const auto width = static_cast<std::size_t>(info(dtype).memory_bytes);
  std::string bytes(count * width, '\0');
  for (std::size_t i = 0; i < count; ++i) {
    u64 word = static_cast<u64>(static_cast<i64>(random.normal() * 20));
    if (dtype == DType::f32) word = std::bit_cast<u32>(static_cast<float>(0.02 * random.normal()));
    if (dtype == DType::bf16) word = std::bit_cast<u32>(static_cast<float>(0.02 * random.normal())) >> 16;
    if (dtype == DType::f64) word = std::bit_cast<u64>(0.02 * random.normal());
    if (dtype == DType::boolean) word &= 1;
    std::memcpy(bytes.data() + i * width, &word, width);
  }
  return bytes;
}

// Every dtype that safetensors has, in shapes that are empty, scalar, prime, three-dimensional and plain; weights and
// arbitrary bits in turn.
inline std::string varied_safetensors() {
  const std::vector<std::vector<i64>> shapes = {{}, {0}, {3, 0, 5}, {1}, {1, 1}, {7}, {13, 17}, {2, 3, 5}, {64, 48}};
  std::vector<MadeTensor> tensors;
  u64 seed = 1;
  for (int d = 0; d <= static_cast<int>(DType::c64); ++d) {
    const auto dtype = static_cast<DType>(d);
    if (info(dtype).bits < 8) continue;
    for (std::size_t s = 0; s < shapes.size(); ++s) {
      std::size_t count = 1;
      for (const i64 side : shapes[s]) count *= static_cast<std::size_t>(side);
      const auto width = static_cast<std::size_t>(info(dtype).memory_bytes);
      const std::string bytes = seed % 2 ? weight_bytes(dtype, count, seed) : random_bytes(count * width, seed);
      tensors.push_back({fmt::format("{}.{}", info(dtype).name, s), std::string(info(dtype).name), shapes[s], bytes});
      ++seed;
    }
  }
  return make_safetensors(tensors);
}

}  // namespace wcodec
