#include "codec/lossy_checkpoint.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/sources/source.hpp"
#include "quantizers/half.hpp"
#include "tests/codec/container_testing.hpp"

namespace wcodec {
namespace {

using nlohmann::ordered_json;
using ::testing::HasSubstr;

struct Entry {
  std::string name, dtype;
  std::vector<i64> shape;
  std::vector<u8> bytes;
};

// A little model: a matrix on a grid, its exponents, and a norm.
struct Sample {
  std::vector<Entry> entries = {
      {"a.weight", "I8", {2, 3}, {1, 0xff, 127, 0x80, 0, 5}},
      {"a.weight.col_exponents", "U8", {3}, {0, 1, 8}},
      {"a.weight.row_exponents", "U8", {2}, {3, 0}},
      {"norm", "BF16", {2}, {0x80, 0x3f, 0x00, 0x40}},
  };
  std::string description = R"({"version":1,"bases":{"a.weight":-40}})";
};

class Lossy : public ::testing::Test {
 protected:
  // The sample as a container in the test's directory.
  std::string container(const Sample& sample, bool described = true) {
    ordered_json json;
    json["__metadata__"] = {{"format", "pt"}, {"wcodec.lossy.settings", R"({"scale":1})"}};
    if (described) json["__metadata__"][std::string(kLossyKey)] = sample.description;
    std::vector<u8> data;
    for (const Entry& entry : sample.entries) {
      json[entry.name] = {{"dtype", entry.dtype},
                          {"shape", entry.shape},
                          {"data_offsets", {data.size(), data.size() + entry.bytes.size()}}};
      data.insert(data.end(), entry.bytes.begin(), entry.bytes.end());
    }
    const std::string text = json.dump();
    std::vector<u8> file(8);
    const u64 size = text.size();
    std::memcpy(file.data(), &size, 8);
    file.insert(file.end(), text.begin(), text.end());
    file.insert(file.end(), data.begin(), data.end());
    const std::string source = path("source.safetensors"), out = path("model.wcodec");
    write(source, file);
    EncodeOptions options;
    options.overwrite = true;
    encode_checkpoint(source, out, options);
    return out;
  }

  std::string restore_error(const Sample& sample, bool described = true) {
    try {
      restore_lossy(container(sample, described), path("never.safetensors"));
    } catch (const Error& error) {
      EXPECT_FALSE(std::filesystem::exists(path("never.safetensors")));
      return error.what();
    }
    return "";
  }

  std::string path(const std::string& name) const { return directory_.path(name); }
  static void write(const std::string& path, const std::vector<u8>& bytes) {
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }

 private:
  TestDirectory directory_;
};

TEST_F(Lossy, StepsArePowersOfTheEighthRootOfTwo) {
  for (int exponent = -kMaxLossyExponent; exponent <= kMaxLossyExponent; exponent += 3) {
    EXPECT_FLOAT_EQ(lossy_step(exponent), static_cast<float>(std::exp2(exponent / 8.0))) << exponent;
  }
  EXPECT_EQ(lossy_step(-8), 0.5f);
  EXPECT_EQ(lossy_step(0), 1.0f);
  EXPECT_EQ(lossy_step(24), 8.0f);
}

TEST_F(Lossy, MatricesComeBackUnderTheirNamesAsBf16) {
  const Sample sample;
  const std::string file = container(sample), out = path("out.safetensors");
  EXPECT_TRUE(is_lossy_container(file));
  const CodecStats stats = restore_lossy(file, out);
  EXPECT_EQ(stats.layers, 2u);
  EXPECT_EQ(stats.weights, 8u);
  const auto restored = open_checkpoint(out);
  ASSERT_EQ(restored->tensors().size(), 2u);
  const TensorInfo& matrix = restored->tensors()[0];
  EXPECT_EQ(matrix.name, "a.weight");
  EXPECT_EQ(matrix.dtype, DType::bf16);
  EXPECT_EQ(matrix.shape, (std::vector<i64>{2, 3}));
  const std::vector<u8> bytes = restored->read(0);
  const int words[] = {1, -1, 127, -128, 0, 5}, rows[] = {3, 0}, columns[] = {0, 1, 8};
  for (std::size_t i = 0; i < 6; ++i) {
    u16 half;
    std::memcpy(&half, bytes.data() + 2 * i, 2);
    const float step = static_cast<float>(std::exp2((-40 + rows[i / 3] + columns[i % 3]) / 8.0));
    EXPECT_EQ(half, float_to_bf16(static_cast<float>(words[i]) * step)) << i;
  }
  EXPECT_EQ(restored->read(1), sample.entries[3].bytes);
}

TEST_F(Lossy, DecodingGivesWhatIsStored) {
  const std::string file = container(Sample()), out = path("words.safetensors");
  decode_checkpoint(file, out);
  EXPECT_EQ(open_checkpoint(out)->tensors().size(), 4u);
  EXPECT_TRUE(verify_checkpoints(path("source.safetensors"), file).equal());
}

TEST_F(Lossy, OtherContainersAreRefusedWithWhatToDo) {
  EXPECT_FALSE(is_lossy_container(container(Sample(), false)));
  EXPECT_THAT(restore_error(Sample(), false), HasSubstr("holds no lossy model"));
  EXPECT_THROW(is_lossy_container(path("absent")), Error);
}

TEST_F(Lossy, HostileFilesAreRefused) {
  struct Case {
    const char* what;
    std::function<void(Sample&)> spoil;
    const char* message;
  };
  const Case cases[] = {
      {"no JSON", [](Sample& s) { s.description = "{"; }, "not an object"},
      {"an array", [](Sample& s) { s.description = "[1]"; }, "not an object"},
      {"no bases", [](Sample& s) { s.description = R"({"version":1})"; }, "not an object"},
      {"deep", [](Sample& s) { s.description = std::string(20000, '['); }, "not an object"},
      {"later version", [](Sample& s) { s.description = R"({"version":2,"bases":{}})"; }, "layout 2 is not known"},
      {"fraction", [](Sample& s) { s.description = R"({"version":1,"bases":{"a.weight":0.5}})"; }, "no whole number"},
      {"huge base", [](Sample& s) { s.description = R"({"version":1,"bases":{"a.weight":1e300}})"; },
       "no whole number"},
      {"far base", [](Sample& s) { s.description = R"({"version":1,"bases":{"a.weight":1009}})"; }, "no whole number"},
      {"infinite steps", [](Sample& s) { s.description = R"({"version":1,"bases":{"a.weight":1000}})"; },
       "out of range"},
      {"unknown name", [](Sample& s) { s.description = R"({"version":1,"bases":{"b":0}})"; },
       "described, but not there"},
      {"norm on a grid", [](Sample& s) { s.description = R"({"version":1,"bases":{"norm":0}})"; }, "no matrix of I8"},
      {"no rows", [](Sample& s) { s.entries.erase(s.entries.begin() + 2); }, "has no '.row_exponents'"},
      {"short columns", [](Sample& s) { s.entries[1].shape = {2}, s.entries[1].bytes.pop_back(); }, "not 3 exponents"},
      {"signed columns", [](Sample& s) { s.entries[1].dtype = "I8"; }, "not 3 exponents"},
  };
  for (const Case& c : cases) {
    Sample sample;
    c.spoil(sample);
    EXPECT_THAT(restore_error(sample), HasSubstr(c.message)) << c.what;
  }
}

TEST_F(Lossy, LimitsAndCancellingLeaveNothingBehind) {
  const std::string file = container(Sample());
  DecodeOptions options;
  options.max_output_bytes = 11;
  EXPECT_THROW(restore_lossy(file, path("out"), options), Error);
  options = {};
  options.progress = [](const CodecProgress&) { return false; };
  EXPECT_THROW(restore_lossy(file, path("out"), options), Error);
  EXPECT_FALSE(std::filesystem::exists(path("out")));
}

}  // namespace
}  // namespace wcodec
