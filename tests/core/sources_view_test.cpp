#include "core/sources/view.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "core/sources/safetensors.hpp"
#include "tests/core/checkpoint_files.hpp"

namespace wcodec {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class View : public ::testing::Test {
 protected:
  View()
      : path_(directory_.write("packed.safetensors",
                               safetensors_bytes(R"({"q.codes":{"dtype":"U8","shape":[2,2],"data_offsets":[0,4]},)"
                                                 R"("h":{"dtype":"U16","shape":[2],"data_offsets":[4,8]}})",
                                                 std::string("\x80\x1f\xf7\x2a\x80\x3f\x00\x40", 8)))) {}
  std::vector<i8> codes(const std::string& view) const {
    return values_of<i8>(*open_checkpoint(path_, {{{"*.codes", view}}}), 0);
  }
  Error error(const std::string& glob, const std::string& view) const { return open_error(path_, {{{glob, view}}}); }

  TestDirectory directory_;
  std::string path_;
};

TEST_F(View, UnpacksNibbles) {
  EXPECT_THAT(codes("int4:nibbles=low-first,bias=8"), ElementsAre(-8, 0, 7, -7, -1, 7, 2, -6));
  EXPECT_THAT(codes("int4:nibbles=high-first,bias=8"), ElementsAre(0, -8, -7, 7, 7, -1, -6, 2));
  EXPECT_THAT(codes("uint4"), ElementsAre(0, 8, 15, 1, 7, 15, 10, 2));
  EXPECT_THAT(codes("int4"), ElementsAre(0, -8, -1, 1, 7, -1, -6, 2));  // two's complement
  EXPECT_THAT(codes("uint4:cols=3"), ElementsAre(0, 8, 15, 7, 15, 10));
  EXPECT_THAT(codes("int8"), ElementsAre(-128, 31, -9, 42));
  EXPECT_THAT(codes("int8:bias=128"), ElementsAre(0, -97, 119, -86));
}

TEST_F(View, SaysWhatItIs) {
  const auto checkpoint = open_checkpoint(path_, {{{"*.codes", "int4:bias=8,nibbles=low-first"}, {"h", "bf16"}}});
  const TensorInfo& codes = checkpoint->tensors()[0];
  EXPECT_EQ(codes.dtype, DType::int4);
  EXPECT_THAT(codes.shape, ElementsAre(2, 4));
  EXPECT_EQ(codes.cols, 4);
  EXPECT_EQ(codes.source_bytes, 4u);
  EXPECT_EQ(codes.source_type, "int4:bias=8");
  EXPECT_EQ(checkpoint->tensors()[1].dtype, DType::bf16);
  EXPECT_EQ(checkpoint->tensors()[1].source_type, "bf16");
  EXPECT_THAT(values_of<u16>(*checkpoint, 1), ElementsAre(0x3f80, 0x4000));
  EXPECT_NE(as_safetensors(*checkpoint), nullptr);
}

TEST_F(View, ReadsAnyRowsOfLargeTensors) {
  std::string data(3 * 200'000, '\0');
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>(i * 7 + i / 251);
  const std::string path =
      directory_.write("large.safetensors",
                       safetensors_bytes(R"({"w":{"dtype":"U8","shape":[3,200000],"data_offsets":[0,600000]}})", data));
  const auto checkpoint = open_checkpoint(path, {{{"w", "uint4:cols=399999"}}});
  const std::vector<u8> whole = checkpoint->read(0);
  ASSERT_EQ(whole.size(), 3u * 399'999);
  for (std::size_t row = 0; row < 3; ++row) {
    std::vector<u8> one(399'999);
    checkpoint->read_rows(0, static_cast<i64>(row), 1, one);
    EXPECT_TRUE(std::equal(one.begin(), one.end(), whole.begin() + static_cast<std::ptrdiff_t>(row * 399'999)));
    for (std::size_t col = 0; col < 399'999; col += 997) {
      ASSERT_EQ(one[col], static_cast<u8>(data[row * 200'000 + col / 2]) >> (col % 2 * 4) & 15);
    }
  }
}

TEST_F(View, RefusesWhatDoesNotFit) {
  EXPECT_THAT(error("*.cods", "int4").what(), HasSubstr("matches no tensor"));
  EXPECT_THAT(error("*.codes", "int3").what(), HasSubstr("unknown type 'int3'; did you mean"));
  EXPECT_THAT(error("h", "int4").what(), HasSubstr("needs elements of 8 bits"));
  EXPECT_THAT(error("*.codes", "bf16").what(), HasSubstr("needs elements of 16 bits"));
  EXPECT_THAT(error("*.codes", "int4:cols=5").what(), HasSubstr("5 codes take 3 bytes, not 2"));
  for (const char* view :
       {"int4:bias=16", "int4:nibbles=odd", "int8:nibbles=low-first", "bf16:bias=1", "int4:x=1", ""}) {
    EXPECT_EQ(error("*", view).kind(), ErrorKind::usage) << view;
  }
  EXPECT_THAT(open_error(path_, {{{"*.codes", "int4"}, {"q*", "int4"}}}).what(), HasSubstr("has two views"));
  OpenOptions options{{{"*.codes", "int4"}}, 4};
  EXPECT_EQ(open_error(path_, options).kind(), ErrorKind::limit);
}

TEST_F(View, GlobsOfManyTensors) {
  std::string json = "{";
  for (int i = 0; i < 50'000; ++i) {
    json += fmt::format(R"({}"layers.{}.codes":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})", i ? "," : "", i);
  }
  const std::string path = directory_.write("many.safetensors", safetensors_bytes(json + "}"));
  EXPECT_EQ(open_checkpoint(path, {{{"*.codes", "int4"}}})->tensors().back().dtype, DType::int4);
}

}  // namespace
}  // namespace wcodec
