// What an nvCOMP spec becomes: the bytes of its options structures, at the offsets that nvCOMP 6 documents.
#include <gmock/gmock.h>

#include <cstdlib>
#include <cstring>

#include "baselines/nvcomp_host.hpp"
#include "baselines/registry.hpp"
#include "core/error.hpp"

namespace wcodec {
namespace {

using ::testing::HasSubstr;

NvcompSpec read(const std::string& text) {
  const Spec spec = parse_spec(text);
  return read_nvcomp_spec(OptionReader(spec, kNvcompOptions));
}

std::string refusal(const std::string& text) {
  try {
    read(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.what();
  }
  return "accepted";
}

u32 word(const NvcompOptions& options, std::size_t at) {
  u32 value = 0;
  std::memcpy(&value, options.bytes.data() + at, sizeof value);
  return value;
}

// Bytes that are not named here are zero, as nvCOMP demands of its reserved ones.
struct Byte {
  std::size_t at;
  u32 value;  // of 32 bits, or of one byte where `is_byte`
  bool is_byte = false;
};
struct Row {
  const char* spec;
  const char* algorithm;
  u64 chunk;
  std::vector<Byte> compress, decompress;
};

NvcompOptions expected(const std::vector<Byte>& bytes) {
  NvcompOptions options;
  for (const Byte& b : bytes) {
    if (b.is_byte) {
      options.set<u8>(b.at, static_cast<u8>(b.value));
    } else {
      options.set<u32>(b.at, b.value);
    }
  }
  return options;
}

TEST(NvcompSpec, OptionsStandWhereNvcompReadsThem) {
  const Row rows[] = {
      {"nvcomp", "ANS", 65536, {}, {{10, 1, true}}},
      {"nvcomp:tuned=false", "ANS", 65536, {}, {{4, 255}}},
      {"nvcomp:algo=ans,chunk=262144,type=float16,sub=8,states=2",
       "ANS",
       262144,
       {{4, 10}, {8, 8, true}, {9, 2, true}},
       {{4, 10}, {8, 8, true}, {9, 2, true}, {10, 1, true}}},
      {"nvcomp:type=fp8", "ANS", 65536, {{4, 9}}, {{4, 9}, {10, 1, true}}},
      {"nvcomp:algo=bitcomp", "Bitcomp", 65536, {{4, 1}}, {}},
      {"nvcomp:algo=bitcomp,type=float32", "Bitcomp", 65536, {{4, 11}}, {}},
      {"nvcomp:algo=cascaded", "Cascaded", 65536, {{0, 4}, {4, 1}, {8, 1}, {24, 7}, {32, 7, true}}, {{8, 255}}},
      {"nvcomp:algo=deflate,effort=5", "Deflate", 65536, {{0, 5}}, {}},
      {"nvcomp:algo=gdeflate,effort=0", "Gdeflate", 65536, {}, {}},
      {"nvcomp:algo=lz4", "LZ4", 65536, {}, {}},
      {"nvcomp:algo=snappy", "Snappy", 65536, {}, {}},
      {"nvcomp:algo=zstd,chunk=1048576", "Zstd", 1048576, {}, {}},
  };
  for (const Row& row : rows) {
    const NvcompSpec spec = read(row.spec);
    EXPECT_EQ(spec.algorithm, row.algorithm);
    EXPECT_EQ(spec.chunk, row.chunk) << row.spec;
    EXPECT_EQ(spec.compress.bytes, expected(row.compress).bytes) << row.spec;
    EXPECT_EQ(spec.decompress.bytes, expected(row.decompress).bytes) << row.spec;
  }
  EXPECT_EQ(word(read("nvcomp:type=float32").compress, 4), 11u);
}

TEST(NvcompSpec, OptionsThatAnAlgorithmHasNotAreRefused) {
  EXPECT_THAT(refusal("nvcomp:algo=an"), HasSubstr("did you mean 'ans'"));
  EXPECT_THAT(refusal("nvcomp:sub=12"), HasSubstr("0, 4, 8, 16, 32 or 64"));
  EXPECT_THAT(refusal("nvcomp:sub=2"), HasSubstr("0, 4, 8, 16, 32 or 64"));
  EXPECT_THAT(refusal("nvcomp:chunk=5000"), HasSubstr("multiple of 4096"));
  EXPECT_THAT(refusal("nvcomp:chunk=1024"), HasSubstr("4096"));
  EXPECT_THAT(refusal("nvcomp:algo=gdeflate,chunk=131072"), HasSubstr("at most 65536"));
  EXPECT_THAT(refusal("nvcomp:algo=zstd,type=float16"), HasSubstr("no option type"));
  EXPECT_THAT(refusal("nvcomp:algo=bitcomp,type=fp8"), HasSubstr("type=fp8"));
  EXPECT_THAT(refusal("nvcomp:algo=lz4,effort=3"), HasSubstr("no option effort"));
  EXPECT_THAT(refusal("nvcomp:algo=zstd,sub=8"), HasSubstr("no option sub"));
  EXPECT_THAT(refusal("nvcomp:algo=zstd,states=1"), HasSubstr("no option states"));
  EXPECT_THAT(refusal("nvcomp:algo=zstd,tuned=false"), HasSubstr("no option tuned"));
}

TEST(NvcompBaseline, AnAbsentLibraryIsASentence) {
  const PreparedBaseline baseline = BaselineRegistry().prepare("nvcomp:algo=ans,chunk=262144");
  EXPECT_EQ(baseline.spec, "nvcomp:chunk=262144");
  const std::string why = why_unavailable(*baseline.row);
  if (why.empty()) GTEST_SKIP() << "the absence cannot be tested where a GPU and nvCOMP are";
  const std::vector<u8> in(100, 7);
  std::vector<u8> out(1000);
  Failure failure;
  EXPECT_FALSE(baseline.compress(in, out, failure).has_value());
  EXPECT_EQ(failure.text(), sv(why).substr(0, 500));
  EXPECT_FALSE(baseline.decompress(in, out, failure));
  EXPECT_EQ(failure.text(), sv(why).substr(0, 500));
}

TEST(NvcompLibraryFile, OneThatIsNotNvcompIsRefused) {
  ::setenv("WCODEC_NVCOMP", "/nowhere/libnvcomp.so.6", 1);
  try {
    NvcompLibrary::get();
    ADD_FAILURE() << "loaded";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_THAT(error.what(), HasSubstr("/nowhere/libnvcomp.so.6"));
  }
  ::setenv("WCODEC_NVCOMP", "libdl.so.2", 1);
  try {
    NvcompLibrary::get();
    ADD_FAILURE() << "loaded";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
    EXPECT_THAT(error.what(), HasSubstr("nvcompGetProperties"));
  }
  ::unsetenv("WCODEC_NVCOMP");
}

}  // namespace
}  // namespace wcodec
