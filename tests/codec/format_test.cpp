// The worked example of docs/format.md, and golden records: bytes that every later version must read.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "codec/tensor_codec.hpp"
#include "core/hash.hpp"
#include "tests/codec/container_testing.hpp"

namespace wcodec {
namespace {

TEST(Format, WorkedExampleOfTheDocument) {
  const QuantizedTensor tensor{2, 2, word_format(info(DType::int8)), {1, 2, 3, 4}, {}};
  const EncodedTensor encoded = encode_tensor(tensor, {16, 16}, parse_mode_set({"none"}), parse_coder("raw"));
  std::vector<u8> expected = {0x57, 0x43, 0x54, 0x30, 1, 8, 1, 1, 0, 0, 2, 2, 16, 16, 0, 0, 1, 0, 0, 0, 1, 2, 3, 4};
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

// A line of the example: offset, then bytes in hexadecimal, `00 × N` for a run, up to two spaces before words.
void expect_line(const std::string& line, const std::string& file) {
  std::istringstream in(line);
  std::size_t at = 0;
  in >> at;
  std::string word;
  while (in >> word) {
    if (word == "…") return;
    if (word == "×") {
      std::size_t run = 0;
      in >> run;
      for (; run > 1; --run, ++at) EXPECT_EQ(file[at], '\0') << line;
      continue;
    }
    const bool byte = word.size() == 2 && word.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (!byte) return;
    ASSERT_LT(at, file.size()) << line;
    EXPECT_EQ(static_cast<u8>(file[at]), std::stoul(word, nullptr, 16)) << line << ", byte " << at;
    ++at;
  }
}

TEST(Format, WorkedContainerOfTheDocument) {
  const TestDirectory directory;
  const std::string json = R"({"w":{"dtype":"I8","shape":[2,2],"data_offsets":[0,4]}})";
  const std::string source = directory.write("w.safetensors", safetensors_bytes(json, "\x01\x02\x03\x04"));
  EncodeOptions options;
  options.coder = "raw";
  options.modes = {"none"};
  options.tile = "16x16";
  options.model_name = "demo";
  encode_checkpoint(source, directory.path("w.wcodec"), options);
  const std::string file = file_bytes(directory.path("w.wcodec"));
  EXPECT_EQ(file.size(), 241u);

  const std::string page = file_bytes(std::string(WCODEC_SOURCE_DIR) + "/docs/format.md");
  const auto section = page.find("## A container byte by byte");
  ASSERT_NE(section, std::string::npos);
  const auto begin = page.find("```\n", section) + 4, end = page.find("```", begin);
  std::istringstream example(page.substr(begin, end - begin));
  std::string line;
  int lines = 0;
  for (; std::getline(example, line); ++lines) expect_line(line, file);
  EXPECT_EQ(lines, 16);
}

}  // namespace
}  // namespace wcodec
