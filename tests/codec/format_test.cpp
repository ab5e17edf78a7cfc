// The worked example of docs/format.md, and golden records: bytes that every later version must read.
#include <gtest/gtest.h>

#include <fstream>

#include "codec/tensor_codec.hpp"
#include "core/hash.hpp"

namespace wcodec {
namespace {

TEST(Format, WorkedExampleOfTheDocument) {
  const QuantizedTensor tensor{2, 2, word_format(info(DType::int8)), {1, 2, 3, 4}, {}};
  const EncodedTensor encoded = encode_tensor(tensor, {16, 16}, parse_mode_set({"none"}), parse_coder("raw"));
  std::vector<u8> expected = {0x57, 0x43, 0x54, 0x30, 0, 8, 1, 1, 0, 0, 2, 2, 16, 16, 0, 0, 1, 0, 0, 0, 1, 2, 3, 4};
  const u32 crc = crc32(expected);
  for (int b = 0; b < 4; ++b) expected.push_back(static_cast<u8>(crc >> (8 * b)));
  EXPECT_EQ(encoded.bytes, expected);

  // And the document prints those very bytes.
  std::ifstream page(std::string(WCODEC_SOURCE_DIR) + "/docs/format.md");
  const std::string text((std::istreambuf_iterator<char>(page)), {});
  char printed[16];
  std::snprintf(printed, sizeof printed, "%02x %02x %02x %02x", crc & 0xff, crc >> 8 & 0xff, crc >> 16 & 0xff,
                crc >> 24);
  EXPECT_NE(text.find(printed), std::string::npos) << printed;
}

}  // namespace
}  // namespace wcodec
