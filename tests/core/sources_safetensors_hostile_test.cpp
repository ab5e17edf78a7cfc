// Rows 22 to 29 of the hostile inputs, each within 512 MiB and 25 seconds.
#include <fmt/compile.h>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>

#include "tests/core/checkpoint_files.hpp"
#include "tests/core/limited_child.hpp"

namespace wcodec {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kTensor = R"("dtype":"U8","shape":[1],"data_offsets":[0,1])";
constexpr std::size_t kMostJson = 100'000'000;

void expect_refused(std::string bytes, ErrorKind kind, const std::string& says) {
  const TestDirectory directory;
  const std::string path = directory.write("hostile.safetensors", bytes);
  std::string().swap(bytes);  // or the child would be charged for it
  within_limits([&] {
    const Error error = open_error(path);
    EXPECT_EQ(to_string(error.kind()), to_string(kind)) << error.what();
    EXPECT_THAT(error.what(), AllOf(HasSubstr("hostile.safetensors: "), HasSubstr(says)));
    EXPECT_LT(std::string(error.what()).size(), 1000u);
  });
}

TEST(HostileSafetensors, Row22_HeaderLengths) {
  for (const u64 length : {u64{1} << 63, ~u64{0}, u64{100'000'001}}) {
    expect_refused(little_endian(length) + "{}", ErrorKind::corrupt, "header length");
  }
  expect_refused(little_endian(u64{100'000'000}) + "{}", ErrorKind::truncated, "only 2 follow");
  expect_refused(little_endian(u64{3}) + "{}", ErrorKind::truncated, "only 2 follow");
  expect_refused("", ErrorKind::truncated, "too few");
  expect_refused("1234567", ErrorKind::truncated, "too few");
  expect_refused(little_endian(u64{0}), ErrorKind::corrupt, "does not begin");
}

TEST(HostileSafetensors, Row23_NestedArrays) {
  const std::string open(100'000, '['), close(100'000, ']');
  expect_refused(safetensors_bytes("{\"a\":" + open + close + "}"), ErrorKind::corrupt, "array");
  expect_refused(safetensors_bytes(open + close), ErrorKind::corrupt, "does not begin");
  expect_refused(safetensors_bytes("{\"a\":{\"shape\":" + open + close + "}}"), ErrorKind::corrupt, "nested deeper");
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  expect_refused(safetensors_bytes(objects), ErrorKind::corrupt, "unknown field");
}

TEST(HostileSafetensors, Row24_DuplicateKeys) {
  const auto twice = [](const char* first, const char* second) {
    return safetensors_bytes(fmt::format(R"({{"{}":{{"dtype":"U8","shape":[1],"data_offsets":[0,1]}},)"
                                         R"("{}":{{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}}})",
                                         first, second),
                             "xy");
  };
  expect_refused(twice("ab", "ab"), ErrorKind::corrupt, "'ab' appears twice");
  expect_refused(twice("ab", R"(\u0061b)"), ErrorKind::corrupt, "'ab' appears twice");
  expect_refused(twice(R"(\ud83d\ude00)", "\xf0\x9f\x98\x80"), ErrorKind::corrupt, "appears twice");
  expect_refused(safetensors_bytes(R"({"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "x"),
                 ErrorKind::corrupt, "'dtype' appears twice");
  expect_refused(safetensors_bytes(R"({"a":{"shape":[1],"dtype":"U8","\u0073hape":[1],"data_offsets":[0,1]}})", "x"),
                 ErrorKind::corrupt, "'shape' appears twice");
  expect_refused(safetensors_bytes(R"({"__metadata__":{},"\u005f_metadata__":{}})"), ErrorKind::corrupt, "twice");
  expect_refused(safetensors_bytes(R"({"__metadata__":{"k":"1","\u006b":"2"}})"), ErrorKind::corrupt, "'k' twice");
}

TEST(HostileSafetensors, Row25_Offsets) {
  const auto with = [](const char* offsets, const char* shape = "[1]") {
    return safetensors_bytes(fmt::format(R"({{"a":{{"dtype":"U8","shape":{},"data_offsets":{}}}}})", shape, offsets),
                             "xy");
  };
  expect_refused(with("[1,0]"), ErrorKind::corrupt, "reversed");
  expect_refused(with("[-1,0]"), ErrorKind::corrupt, "negative");
  expect_refused(with("[0,-1]"), ErrorKind::corrupt, "negative");
  expect_refused(with("[0.0,1.0]"), ErrorKind::corrupt, "not a whole one");
  expect_refused(with("[0,1e300]"), ErrorKind::corrupt, "not a whole one");
  expect_refused(with("[0,1e400]"), ErrorKind::corrupt, "");
  expect_refused(with("[0,18446744073709551616]"), ErrorKind::corrupt, "not a whole one");
  expect_refused(with("[0,18446744073709551615]"), ErrorKind::corrupt, "tensor 'a'");
  expect_refused(with("[18446744073709551615,18446744073709551615]", "[0]"), ErrorKind::corrupt, "hole");
  expect_refused(with("[0,1]", "[-1]"), ErrorKind::corrupt, "negative");
  expect_refused(with("[0,1]", "[1.5]"), ErrorKind::corrupt, "not a whole one");
}

// The file of a header with `begin`, then as many members as `count` says or the format's 100 MB hold, then `end`.
// Member i is `member(i)` and a comma after all but the last.
template <class Member>
std::string header_of_many(const std::string& begin, Member member, const std::string& end, int count = INT32_MAX) {
  std::string bytes = little_endian(u64{0}) + begin;
  for (int i = 0; i < count && bytes.size() + end.size() + 100 < kMostJson; ++i) {
    member(std::back_inserter(bytes), i);
    bytes += ',';
  }
  bytes.pop_back();
  bytes += end;
  const u64 size = bytes.size() - 8;
  std::memcpy(bytes.data(), &size, 8);
  return bytes;
}

constexpr auto kOneByte = [](auto out, int i) {
  fmt::format_to(out, FMT_COMPILE(R"("{:x}":{{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})"), i);
};
constexpr auto kNoByte = [](auto out, int i) {
  fmt::format_to(out, FMT_COMPILE(R"("{:x}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})"), i);
};

TEST(HostileSafetensors, Row26_TensorsSharingBytes) {
  expect_refused(header_of_many("{", kOneByte, "}", 1'000'000) + "x", ErrorKind::corrupt, "overlap");
  expect_refused(header_of_many("{", kOneByte, "}"), ErrorKind::limit, "more than 1048576 tensors");
}

TEST(HostileSafetensors, Row26_ManyTensorsOfNoBytes) {
  const TestDirectory directory;
  const std::string path = directory.write("empty.safetensors", header_of_many("{", kNoByte, "}", 1 << 20));
  within_limits([&] { EXPECT_EQ(open_checkpoint(path)->tensors().size(), std::size_t{1} << 20); });
}

TEST(HostileSafetensors, Row26_OtherHeadersOfMostBytes) {
  const auto entry = [](auto out, int i) { fmt::format_to(out, FMT_COMPILE(R"("{:x}":"")"), i); };
  expect_refused(header_of_many(R"({"__metadata__":{)", entry, "}}"), ErrorKind::limit, "metadata entries");
  const auto zero = [](auto out, int) { *out = '0'; };
  expect_refused(header_of_many(R"({"a":{"dtype":"U8","shape":[)", zero, R"(],"data_offsets":[0,0]}})"),
                 ErrorKind::corrupt, "dimensions");
  expect_refused(safetensors_bytes("{\"" + std::string(8'000'000, 'n') + "\":{" + kTensor + "}}"), ErrorKind::truncated,
                 "nnn…");
}

TEST(HostileSafetensors, Row27_SizesThatDoNotFit) {
  const auto with = [](const char* dtype, const char* shape) {
    return safetensors_bytes(
        fmt::format(R"({{"blk.3":{{"dtype":"{}","shape":{},"data_offsets":[0,4]}}}})", dtype, shape), "wxyz");
  };
  expect_refused(with("F32", "[2]"), ErrorKind::corrupt, "tensor 'blk.3': its shape and dtype F32 need 8 bytes");
  expect_refused(with("F32", "[0]"), ErrorKind::corrupt, "blk.3");
  expect_refused(with("Q4_K", "[4]"), ErrorKind::unsupported, "tensor 'blk.3': unknown dtype 'Q4_K'");
  expect_refused(with("U8", "[4294967296,4294967296]"), ErrorKind::corrupt, "blk.3");
  expect_refused(with("F64", "[4611686018427387904]"), ErrorKind::corrupt, "blk.3");
  expect_refused(with("U8", "[9223372036854775808]"), ErrorKind::corrupt, "blk.3");
  // 2^64 elements and a zero: the order of the dimensions must not decide.
  expect_refused(with("U8", "[4294967296,4294967296,0]"), ErrorKind::corrupt, "blk.3");
  expect_refused(with("U8", "[0,4294967296,4294967296]"), ErrorKind::corrupt, "blk.3");
}

TEST(HostileSafetensors, Row28_Padding) {
  const std::string json = std::string("{\"a\":{") + kTensor + "}}";
  expect_refused(safetensors_bytes(" " + json, "x"), ErrorKind::corrupt, "does not begin");
  expect_refused(safetensors_bytes("\xef\xbb\xbf" + json, "x"), ErrorKind::corrupt, "does not begin");
  expect_refused(safetensors_bytes(json + std::string(3, '\0'), "x"), ErrorKind::corrupt, "NUL byte");
  expect_refused(safetensors_bytes(json + std::string(1, '\0') + "}", "x"), ErrorKind::corrupt, "NUL byte");
  expect_refused(safetensors_bytes(json + "{}", "x"), ErrorKind::corrupt, "malformed");
  const TestDirectory directory;
  EXPECT_NO_THROW(open_checkpoint(directory.write("padded.safetensors", safetensors_bytes(json + "      ", "x"))));
}

TEST(HostileSafetensors, Row29_NamesAreNeverPathsAndAreEscaped) {
  const TestDirectory directory;
  const char* const kNames[] = {"../../x", R"(nul\u0000here)", R"(\u001b[31mred)", "/etc/passwd", ""};
  std::string json = "{";
  for (int i = 0; i < 5; ++i) {
    json += fmt::format(R"({}"{}":{{"dtype":"U8","shape":[1],"data_offsets":[{},{}]}})", i == 0 ? "" : ",", kNames[i],
                        i, i + 1);
  }
  const auto checkpoint = open_checkpoint(directory.write("names.safetensors", safetensors_bytes(json + "}", "abcde")));
  ASSERT_EQ(checkpoint->tensors().size(), 5u);
  EXPECT_EQ(checkpoint->tensors()[1].name, std::string("nul\0here", 8));
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(checkpoint->read(i)[0], 'a' + i);
  // The same names in an error.
  for (const char* name : {R"(\u001b[31mred)", R"(nul\u0000here)"}) {
    const Error error = open_error(directory.write(
        "bad.safetensors",
        safetensors_bytes(fmt::format(R"({{"{}":{{"dtype":"U8","shape":[2],"data_offsets":[0,1]}}}})", name), "x")));
    EXPECT_THAT(error.what(), AllOf(HasSubstr("\\x"), Not(HasSubstr("\x1b"))));
    EXPECT_EQ(std::string(error.what()).find('\0'), std::string::npos);
  }
}

// Whatever one byte of a small file becomes, opening and reading ends in tensors or in an Error.
TEST(HostileSafetensors, EveryByteOfAHeaderChanged) {
  const TestDirectory directory;
  const std::string good =
      safetensors_bytes(R"({"__metadata__":{"k":"v"},"a":{"dtype":"F16","shape":[1,2],"data_offsets":[0,4]}})", "wxyz");
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const char value : {'\0', '"', '{', '9', '\xff', ' ', '-', static_cast<char>(good[at] ^ 1)}) {
      std::string bytes = good;
      bytes[at] = value;
      try {
        const auto checkpoint = open_checkpoint(directory.write("flipped.safetensors", bytes));
        for (std::size_t i = 0; i < checkpoint->tensors().size(); ++i) checkpoint->read(i);
      } catch (const Error& error) {
        EXPECT_NE(error.kind(), ErrorKind::internal) << error.what();
      }
    }
    const std::string cut = directory.write("cut.safetensors", good.substr(0, at));
    EXPECT_NE(open_error(cut).kind(), ErrorKind::internal);
  }
}

}  // namespace
}  // namespace wcodec
