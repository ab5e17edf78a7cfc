// Progressive files: any beginning decodes within its bounds, all of it exactly, and hostile bytes are refused.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "codec/progressive_file.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/sources/source.hpp"
#include "quantizers/planes.hpp"
#include "tests/codec/sample_tensor.hpp"
#include "tests/core/file_bytes.hpp"
#include "tests/golden/goldens.hpp"

namespace wcodec {
namespace {

using golden::read_bytes, golden::write_bytes;

class ProgressiveFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    const ::testing::TestInfo& test = *::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::path(::testing::TempDir()) / (std::string("progressive-") + test.name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    std::string data;
    std::string header = "{";
    const auto add = [&](const char* name, const char* dtype, const char* shape, const QuantizedTensor& tensor) {
      const std::size_t begin = data.size();
      data.append(tensor.words.begin(), tensor.words.end());
      header += std::string(header.size() > 1 ? "," : "") + "\"" + name + "\":{\"dtype\":\"" + dtype +
                "\",\"shape\":" + shape + ",\"data_offsets\":[" + std::to_string(begin) + "," +
                std::to_string(data.size()) + "]}";
    };
    add("codes", "I8", "[70,90]", sample_tensor(DType::int8, 70, 90, 1));
    add("norm", "F32", "[90]", sample_tensor(DType::f32, 1, 90, 2));
    add("bytes", "U8", "[3,20,10]", sample_tensor(DType::uint8, 60, 10, 3));
    add("none", "I8", "[0,4]", sample_tensor(DType::int8, 0, 4, 4));
    add("half", "BF16", "[20,33]", sample_tensor(DType::bf16, 20, 33, 5));
    add("full", "F32", "[7,11]", sample_tensor(DType::f32, 7, 11, 6));
    add("wide", "I64", "[4,3]", sample_tensor(DType::int64, 4, 3, 7));
    write(source_, safetensors_bytes(header + "}", data));
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path(const char* name) const { return (folder_ / name).string(); }
  void write(const char* name, const std::string& bytes) const {
    write_bytes(path(name), Bytes(reinterpret_cast<const u8*>(bytes.data()), bytes.size()));
  }
  void write(const char* name, Bytes bytes) const { write_bytes(path(name), bytes); }
  ProgressiveFileStats encode(const ProgressiveEncodeOptions& options = {}) const {
    ProgressiveEncodeOptions replacing = options;
    replacing.overwrite = true;
    return encode_progressive_file(path(source_), path(coded_), replacing);
  }
  ErrorKind kind_of(Bytes bytes) const {
    write("hostile", bytes);
    try {
      decode_progressive_file(path("hostile"), path("out"), {kAllPlanes, u64{1} << 30, true, {}});
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("hostile"), std::string::npos) << error.what();
      return error.kind();
    }
    return ErrorKind::internal;
  }

  static constexpr const char* source_ = "source.safetensors";
  static constexpr const char* coded_ = "coded.wcp";
  std::filesystem::path folder_;
};

// Steps in the order of the words.
u64 worst(const std::vector<u8>& a, const std::vector<u8>& b, DType dtype) {
  const WordFormat format = word_format(info(dtype));
  u64 worst = 0;
  for (u64 i = 0; i < a.size() / static_cast<u64>(format.memory_bytes); ++i) {
    const u64 x = order_key(format, load_word(format, a.data(), i)),
              y = order_key(format, load_word(format, b.data(), i));
    worst = std::max(worst, x > y ? x - y : y - x);
  }
  return worst;
}

TEST_F(ProgressiveFiles, EveryNumberOfPlanesKeepsItsBoundAndAllAreExact) {
  for (const BitOrder order : {BitOrder::offset, BitOrder::sign_magnitude}) {
    for (const char* transform : {"identity", "probe"}) {
      const ProgressiveFileStats stats = encode({{order, parse_transform_set(transform)}, {}, {}, false, {}});
      EXPECT_EQ(stats.layers, 7u);
      EXPECT_EQ(stats.exact_layers, 2u);  // the norm, and words of 64 bits
      EXPECT_EQ(stats.file_bytes, std::filesystem::file_size(path(coded_)));
      const ProgressiveFile file = ProgressiveFile::open(path(coded_));
      const auto source = open_checkpoint(path(source_));
      EXPECT_EQ(file.bytes_for(file.planes()), file.whole_bytes());
      for (std::size_t i = 0; i < file.layers().size(); ++i) {
        const std::vector<u8> words = source->read(i);
        u32 last = ~u32{0};
        for (int planes = 0; planes <= static_cast<int>(file.layers()[i].plane_bytes.size()); ++planes) {
          const ProgressiveLayerData data = file.read(i, planes);
          EXPECT_LE(data.bound, last);
          last = data.bound;
          if (file.layers()[i].is_exact) {
            EXPECT_EQ(data.words, words);
          } else {
            EXPECT_LE(worst(data.words, words, file.layers()[i].dtype), data.bound) << planes;
          }
        }
        EXPECT_EQ(last, 0u);
        EXPECT_EQ(file.read(i).words, words);
      }
    }
  }
}

TEST_F(ProgressiveFiles, DecodeToTheSameTensors) {
  encode();
  const std::vector<ProgressiveBound> bounds = decode_progressive_file(path(coded_), path("back.safetensors"));
  const auto source = open_checkpoint(path(source_)), back = open_checkpoint(path("back.safetensors"));
  ASSERT_EQ(back->tensors().size(), source->tensors().size());
  for (std::size_t i = 0; i < source->tensors().size(); ++i) {
    EXPECT_EQ(back->tensors()[i].name, source->tensors()[i].name);
    EXPECT_EQ(back->tensors()[i].shape, source->tensors()[i].shape);
    EXPECT_EQ(back->read(i), source->read(i));
    EXPECT_EQ(bounds[i].bound, 0u);
  }
}

TEST_F(ProgressiveFiles, AnyBeginningDecodesOrIsTooShort) {
  encode();
  const std::vector<u8> whole = read_bytes(path(coded_));
  const u64 least = ProgressiveFile::open(path(coded_)).bytes_for(0);
  int planes = 0;
  for (std::size_t size = 0; size < whole.size(); size += size < least ? 1 : 97) {
    write("cut", Bytes(whole).first(size));
    if (size < least) {
      EXPECT_THROW(ProgressiveFile::open(path("cut")), Error) << size;
      continue;
    }
    const auto bounds = decode_progressive_file(path("cut"), path("out"), {kAllPlanes, u64{1} << 30, true, {}});
    EXPECT_GE(bounds[0].planes, planes);
    planes = bounds[0].planes;
    EXPECT_LE(bounds[0].planes, bounds[0].all_planes);
  }
  EXPECT_GE(planes, 7);
}

TEST_F(ProgressiveFiles, EveryFlipIsRefused) {
  encode();
  const std::vector<u8> whole = read_bytes(path(coded_));
  for (std::size_t bit = 0; bit < whole.size() * 8; bit += bit < 2400 ? 5 : 997) {
    std::vector<u8> flipped = whole;
    flipped[bit / 8] ^= static_cast<u8>(1 << bit % 8);
    const ErrorKind kind = kind_of(flipped);
    // A shape is held against the index's before its checksum can be.
    EXPECT_TRUE(kind == ErrorKind::corrupt || kind == ErrorKind::truncated || kind == ErrorKind::unsupported ||
                kind == ErrorKind::limit)
        << bit;
  }
}

TEST_F(ProgressiveFiles, FlipsBehindRepairedChecksumsNeverCrash) {
  encode();
  const std::vector<u8> whole = read_bytes(path(coded_));
  u64 index = 0;
  std::memcpy(&index, whole.data() + 12, 8);
  for (std::size_t bit = 24 * 8; bit < (24 + index - 4) * 8; bit += 3) {
    std::vector<u8> flipped = whole;
    flipped[bit / 8] ^= static_cast<u8>(1 << bit % 8);
    const u32 crc = crc32(Bytes(flipped).subspan(24, index - 4));
    for (std::size_t byte = 0; byte < 4; ++byte) flipped[20 + index + byte] = static_cast<u8>(crc >> 8 * byte);
    kind_of(flipped);  // a name may have changed: no error then
  }
}

TEST_F(ProgressiveFiles, SayWhatIsWrong) {
  const auto message = [](const auto& body) {
    try {
      body();
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  write("norm.safetensors", safetensors_bytes(R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "abcd"));
  EXPECT_NE(message([&] { encode_progressive_file(path("norm.safetensors"), path("x")); }).find("no tensor has planes"),
            std::string::npos);
  encode();
  EXPECT_NE(message([&] { ProgressiveFile::open(path(source_)); }).find("magic"), std::string::npos);
  EXPECT_NE(message([&] { ProgressiveFile::open(path(coded_)).read(0, kAllPlanes, 100); }).find("limit"),
            std::string::npos);
  EXPECT_NE(message([&] {
              decode_progressive_file(path(coded_), path("x"), {kAllPlanes, 10, false, {}});
            }).find("10"),
            std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(path("x")));
}

}  // namespace
}  // namespace wcodec
