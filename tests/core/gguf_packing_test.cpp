// Planes of quantized blocks go back to the bytes of the blocks, whatever these were.
#include <gtest/gtest.h>

#include <vector>

#include "core/philox.hpp"
#include "core/sources/gguf_types.hpp"

namespace wcodec {
namespace {

class EveryGgufType : public ::testing::TestWithParam<u32> {};

TEST_P(EveryGgufType, PackingUndoesUnpacking) {
  const GgufType* type = find_gguf_type(GetParam());
  ASSERT_NE(type, nullptr);
  ASSERT_FALSE(type->planes.empty());
  for (u64 seed = 0; seed < 50; ++seed) {
    Philox random(seed, GetParam());
    const std::size_t blocks = 1 + seed % 5;
    std::vector<u8> bytes(blocks * static_cast<std::size_t>(type->block_bytes)), back(bytes.size());
    for (u8& byte : bytes) byte = static_cast<u8>(random.below(256));
    if (seed == 0) std::fill(bytes.begin(), bytes.end(), u8{0xff});
    for (const GgufPlane& plane : type->planes) {
      const std::size_t width = static_cast<std::size_t>(info(plane.dtype).memory_bytes);
      std::vector<u8> values(blocks * static_cast<std::size_t>(plane.per_block) * width);
      plane.unpack(bytes.data(), blocks, values.data());
      plane.pack(values.data(), blocks, back.data());
    }
    ASSERT_EQ(back, bytes) << type->name << " seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(GgufTypes, EveryGgufType,
                         ::testing::Values(0u, 1u, 2u, 3u, 6u, 7u, 8u, 10u, 11u, 12u, 13u, 14u, 15u, 16u, 17u, 18u, 19u,
                                           20u, 21u, 22u, 23u, 24u, 25u, 26u, 27u, 28u, 29u, 30u, 34u, 35u, 39u, 40u,
                                           41u),
                         [](const auto& p) { return std::string(find_gguf_type(p.param)->name); });

}  // namespace
}  // namespace wcodec
