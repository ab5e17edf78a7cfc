#include "core/sources/safetensors.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>

#include "tests/core/checkpoint_files.hpp"

namespace wcodec {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Safetensors : public ::testing::Test {
 protected:
  std::string write(const std::string& json, const std::string& data = {}) const {
    return directory_.write("model.safetensors", safetensors_bytes(json, data));
  }
  Error error_of(const std::string& json, const std::string& data = {}) const { return open_error(write(json, data)); }
  TestDirectory directory_;
};

TEST_F(Safetensors, DeliversTensorsInTheOrderOfTheirBytes) {
  const auto checkpoint = open_checkpoint(
      write(R"({"b":{"dtype":"U8","shape":[2,1,2],"data_offsets":[4,8]},"__metadata__":{"format":"pt"},)"
            R"("a":{"dtype":"I16","shape":[2],"data_offsets":[0,4]}})",
            "\x01\x02\x03\x04\x05\x06\x07\x08"));
  ASSERT_EQ(checkpoint->tensors().size(), 2u);
  const TensorInfo& a = checkpoint->tensors()[0];
  const TensorInfo& b = checkpoint->tensors()[1];
  EXPECT_EQ(a.name, "a");
  EXPECT_EQ(a.dtype, DType::int16);
  EXPECT_EQ(a.rows, 1);
  EXPECT_EQ(a.cols, 2);
  EXPECT_EQ(b.name, "b");
  EXPECT_EQ(b.rows, 2);
  EXPECT_EQ(b.cols, 2);
  EXPECT_EQ(b.source_bytes, 4u);
  EXPECT_EQ(b.source_type, "U8");
  EXPECT_THAT(values_of<u16>(*checkpoint, 0), ElementsAre(0x0201, 0x0403));
  std::vector<u8> row(2);
  checkpoint->read_rows(1, 1, 1, row);
  EXPECT_THAT(row, ElementsAre(7, 8));
}

TEST_F(Safetensors, KeepsWhatIsNeededToWriteTheFileAgain) {
  const std::string json =
      R"({"__metadata__":{"format":"pt","x":"\u00fc"},"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}   )";
  const auto checkpoint = open_checkpoint(write(json, "abc"));
  const SafetensorsCheckpoint* file = as_safetensors(*checkpoint);
  ASSERT_NE(file, nullptr);
  const std::vector<u8> preamble = file->preamble(0);
  EXPECT_EQ(std::string(preamble.begin(), preamble.end()), safetensors_bytes(json));
  EXPECT_THAT(file->metadata(0), ElementsAre(std::pair("format", "pt"), std::pair("x", "ü")));
  EXPECT_EQ(as_safetensors(*open_checkpoint("synthetic:gaussian:rows=2,cols=2")), nullptr);
}

TEST_F(Safetensors, TakesEveryDtypeOfWholeBytes) {
  for (const auto& [name, width] : std::vector<std::pair<const char*, int>>{{"BOOL", 1},
                                                                            {"U8", 1},
                                                                            {"I8", 1},
                                                                            {"F8_E4M3", 1},
                                                                            {"F8_E5M2", 1},
                                                                            {"F8_E8M0", 1},
                                                                            {"U16", 2},
                                                                            {"I16", 2},
                                                                            {"F16", 2},
                                                                            {"BF16", 2},
                                                                            {"U32", 4},
                                                                            {"I32", 4},
                                                                            {"F32", 4},
                                                                            {"U64", 8},
                                                                            {"I64", 8},
                                                                            {"F64", 8},
                                                                            {"C64", 8}}) {
    const std::string json =
        fmt::format(R"({{"t":{{"dtype":"{}","shape":[2],"data_offsets":[0,{}]}}}})", name, 2 * width);
    const auto checkpoint = open_checkpoint(write(json, std::string(static_cast<std::size_t>(2 * width), '\1')));
    EXPECT_EQ(info(checkpoint->tensors()[0].dtype).name, name);
    EXPECT_EQ(checkpoint->read(0).size(), static_cast<std::size_t>(2 * width));
  }
}

TEST_F(Safetensors, Hostile27_SubByteAndUnknownDtypesNameTheTensor) {
  for (const char* dtype : {"F4", "F6_E2M3", "I4", "X99", ""}) {
    const Error error =
        error_of(fmt::format(R"({{"layer.7":{{"dtype":"{}","shape":[2],"data_offsets":[0,1]}}}})", dtype), "x");
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("layer.7"), HasSubstr(dtype)));
  }
}

TEST_F(Safetensors, TakesEmptyTensorsAndScalars) {
  const auto checkpoint = open_checkpoint(
      write(R"({"e":{"dtype":"F32","shape":[0,5],"data_offsets":[0,0]},"s":{"dtype":"U8","shape":[],)"
            R"("data_offsets":[0,1]},"l":{"dtype":"F32","shape":[1099511627776,0],"data_offsets":[1,1]}})",
            "x"));
  ASSERT_EQ(checkpoint->tensors().size(), 3u);
  for (const TensorInfo& tensor : checkpoint->tensors()) EXPECT_EQ(tensor.rows, tensor.name == "s" ? 1 : 0);
  EXPECT_TRUE(checkpoint->read(0).empty());
  EXPECT_EQ(open_checkpoint(write("{}"))->tensors().size(), 0u);
}

TEST_F(Safetensors, MustCoverItsDataExactly) {
  EXPECT_THAT(error_of(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", "xx").what(), HasSubstr("hole"));
  EXPECT_THAT(error_of(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "xx").what(),
              HasSubstr("1 bytes follow the last tensor"));
  EXPECT_EQ(error_of(R"({"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}})", "xx").kind(), ErrorKind::truncated);
  EXPECT_THAT(error_of(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                       R"("b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
                       "xxx")
                  .what(),
              AllOf(HasSubstr("overlap"), HasSubstr("'b'")));
}

TEST_F(Safetensors, RefusesOtherStructures) {
  for (const char* json : {
           R"([])",
           R"({"a":1})",
           R"({"a":"x"})",
           R"({"a":[]})",
           R"({"a":null})",
           R"({"a":true})",
           R"({"a":{}})",
           R"({"a":{"dtype":"U8","shape":[0]}})",
           R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0]}})",
           R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0,0]}})",
           R"({"a":{"dtype":"U8","shape":0,"data_offsets":[0,0]}})",
           R"({"a":{"dtype":"U8","shape":[[0]],"data_offsets":[0,0]}})",
           R"({"a":{"dtype":"U8","shape":[null],"data_offsets":[0,0]}})",
           R"({"a":{"dtype":"U8","shape":["0"],"data_offsets":[0,0]}})",
           R"({"a":{"dtype":7,"shape":[0],"data_offsets":[0,0]}})",
           R"({"a":{"dtype":["U8"],"shape":[0],"data_offsets":[0,0]}})",
           R"({"a":{"dtype":{"U8":0},"shape":[0],"data_offsets":[0,0]}})",
           R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"more":1}})",
           R"({"__metadata__":{"a":1}})",
           R"({"__metadata__":{"a":{}}})",
           R"({"__metadata__":[]})",
           R"({"__metadata__":"x"})",
           R"({"a":)",
           R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}x})",
           R"({'a':1})",
           "{\"\xff\":1}",
           R"({} {})",
       }) {
    EXPECT_EQ(error_of(json).kind(), ErrorKind::corrupt) << json;
  }
}

TEST_F(Safetensors, RefusesPicklesAndOtherThings) {
  EXPECT_THAT(open_error(directory_.write("pytorch_model.bin", "PK\x03\x04........")).what(), HasSubstr("pickled"));
  EXPECT_EQ(open_error(directory_.path("absent.safetensors")).kind(), ErrorKind::not_found);
  EXPECT_EQ(open_error("/dev/null").kind(), ErrorKind::unsupported);
  EXPECT_EQ(open_error("").kind(), ErrorKind::usage);
  std::filesystem::create_directory(directory_.path("empty"));
  EXPECT_EQ(open_error(directory_.path("empty")).kind(), ErrorKind::not_found);
}

TEST_F(Safetensors, HonoursTheCallersLimit) {
  OpenOptions options;
  options.max_tensor_bytes = 7;
  const std::string path = write(R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})", "12345678");
  EXPECT_EQ(open_error(path, options).kind(), ErrorKind::limit);
  options.max_tensor_bytes = 8;
  EXPECT_NO_THROW(open_checkpoint(path, options));
}

TEST_F(Safetensors, Hostile31_AFileThatShrinksIsAnErrorNotASignal) {
  const std::string path =
      write(R"({"a":{"dtype":"U8","shape":[100000],"data_offsets":[0,100000]}})", std::string(100000, 'x'));
  const auto checkpoint = open_checkpoint(path);
  std::filesystem::resize_file(path, 5000);
  try {
    checkpoint->read(0);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::truncated);
    EXPECT_THAT(error.what(), HasSubstr("ends at offset 5000"));
  }
}

}  // namespace
}  // namespace wcodec
