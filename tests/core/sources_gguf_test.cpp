// GGUF files: what the reference reader (tests/python/test_gguf_oracle.py) cannot show, and rows 32 to 36 of the
// hostile inputs, each within 512 MiB and 25 seconds.
#include <fmt/compile.h>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>

#include "core/sources/gguf_types.hpp"
#include "tests/core/checkpoint_files.hpp"
#include "tests/core/limited_child.hpp"

namespace wcodec {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using namespace gguf;

void expect_refused(std::string bytes, ErrorKind kind, const std::string& says) {
  const TestDirectory directory;
  const std::string path = directory.write("hostile.gguf", bytes);
  std::string().swap(bytes);
  within_limits([&] {
    const Error error = open_error(path);
    EXPECT_EQ(to_string(error.kind()), to_string(kind)) << error.what();
    EXPECT_THAT(error.what(), AllOf(HasSubstr("hostile.gguf: "), HasSubstr(says)));
    EXPECT_LT(std::string(error.what()).size(), 1000u);
  });
}

TEST(Gguf, ReadsVersions2And3AndSkipsEveryValueType) {
  for (const u32 version : {2u, 3u}) {
    Gguf file;
    file.version = version;
    file.key("a.u8", kU8, "\x01").key("a.i8", kI8, "\x01").key("a.u16", kU16, "ab").key("a.i16", kI16, "ab");
    file.key("a.u32", kU32, "abcd").key("a.i32", kI32, "abcd").key("a.f32", kF32, "abcd").key("a.bool", kBool, "\x01");
    file.key("a.u64", kU64, "abcdefgh").key("a.i64", kI64, "abcdefgh").key("a.f64", kF64, "abcdefgh");
    file.key("a.text", kString, text("value")).key("a.empty", kString, text(""));
    file.key("a.texts", kArray, little_endian(u32{kString}) + little_endian(u64{2}) + text("x") + text("yz"));
    file.key("a.words", kArray, little_endian(u32{kU16}) + little_endian(u64{3}) + "aabbcc");
    file.tensor("late", {3}, kTypeI8, 32).tensor("early", {2, 3, 1}, kTypeF32, 0);
    const TestDirectory directory;
    const auto checkpoint =
        open_checkpoint(directory.write("model.gguf", file.bytes(std::string(24, '\0') + "........" + "abc")));
    ASSERT_EQ(checkpoint->tensors().size(), 2u);
    EXPECT_EQ(checkpoint->tensors()[0].name, "early");
    EXPECT_THAT(checkpoint->tensors()[0].shape, ElementsAre(1, 3, 2));
    EXPECT_EQ(checkpoint->tensors()[0].rows, 3);
    EXPECT_THAT(checkpoint->read(1), ElementsAre('a', 'b', 'c'));
    EXPECT_EQ(checkpoint->files().size(), 1u);
  }
}

TEST(Gguf, IsKnownByItsFirstBytesToo) {
  const TestDirectory directory;
  const std::string bytes = Gguf().tensor("t", {1}, kTypeI8, 0).bytes("x");
  EXPECT_EQ(open_checkpoint(directory.write("0123abcd", bytes))->read(0)[0], 'x');
}

TEST(Gguf, HonoursTheAlignmentOfTheFile) {
  Gguf file;
  file.alignment = 256;
  file.key("general.alignment", kU32, little_endian(u32{256}))
      .tensor("a", {1}, kTypeI8, 0)
      .tensor("b", {1}, kTypeI8, 256);
  const TestDirectory directory;
  const auto checkpoint = open_checkpoint(directory.write("model.gguf", file.bytes("A" + std::string(255, '.') + "B")));
  EXPECT_THAT(checkpoint->read(1), ElementsAre('B'));
}

// Two rows of two Q4_0 blocks: rows are delivered apart, whatever is asked for.
TEST(Gguf, ReadsAnyRowsOfAQuantizedTensor) {
  std::string data;
  for (int block = 0; block < 4; ++block) {
    data += little_endian(static_cast<u16>(0x3c00 + block));
    for (int j = 0; j < 16; ++j) data += static_cast<char>(j | ((15 - j) << 4));
  }
  const TestDirectory directory;
  const auto checkpoint =
      open_checkpoint(directory.write("model.gguf", Gguf().tensor("w", {64, 2}, kTypeQ4_0, 0).bytes(data)));
  ASSERT_EQ(checkpoint->tensors().size(), 2u);
  EXPECT_EQ(checkpoint->tensors()[0].name, "w.codes");
  EXPECT_EQ(checkpoint->tensors()[0].dtype, DType::int4);
  EXPECT_EQ(checkpoint->tensors()[0].source_bytes, 64u);
  EXPECT_EQ(checkpoint->tensors()[1].name, "w.scales");
  EXPECT_EQ(checkpoint->tensors()[1].cols, 2);
  std::vector<u8> row(64);
  checkpoint->read_rows(0, 1, 1, row);
  for (int j = 0; j < 16; ++j) {
    EXPECT_EQ(static_cast<i8>(row[static_cast<std::size_t>(j)]), j - 8);
    EXPECT_EQ(static_cast<i8>(row[static_cast<std::size_t>(j) + 16]), 7 - j);
  }
  std::vector<u8> scales(4);
  checkpoint->read_rows(1, 1, 1, scales);
  EXPECT_THAT(scales, ElementsAre(2, 0x3c, 3, 0x3c));
}

TEST(HostileGguf, Versions) {
  expect_refused("GGUF", ErrorKind::truncated, "version");
  expect_refused("GGML" + Gguf().bytes().substr(4), ErrorKind::corrupt, "does not begin with 'GGUF'");
  for (const u32 version : {0u, 1u, 4u}) {
    Gguf file;
    file.version = version;
    expect_refused(file.bytes(), ErrorKind::unsupported, fmt::format("version {} is not supported", version));
  }
}

TEST(HostileGguf, Row32_StringsAndArrays) {
  const std::string huge = little_endian(u64{1} << 63);
  expect_refused(Gguf().key("k", kString, huge).bytes(), ErrorKind::truncated,
                 "string needs 9223372036854775808 bytes");
  Gguf long_key;
  long_key.keys = huge + "k";
  long_key.key_count = 1;
  expect_refused(long_key.bytes(), ErrorKind::truncated, "key needs");
  long_key.keys = text(std::string(70'000, 'k'));
  expect_refused(long_key.bytes(), ErrorKind::limit, "longer than the 65535 allowed");
  const auto array = [](u32 type, u64 count, const std::string& rest = {}) {
    return Gguf().key("k", kArray, little_endian(type) + little_endian(count) + rest).bytes();
  };
  for (const u32 type : {kU8, kU64, kString}) {
    expect_refused(array(type, u64{1} << 62), ErrorKind::truncated, "");
    expect_refused(array(type, ~u64{0}), ErrorKind::truncated, "");
  }
  expect_refused(array(kArray, 1, array(kU8, 0)), ErrorKind::unsupported, "arrays of arrays");
  expect_refused(array(13, 1), ErrorKind::corrupt, "unknown value type 13");
  expect_refused(Gguf().key("k", 99, "").bytes(), ErrorKind::corrupt, "unknown value type 99");
  expect_refused(Gguf().key("k", kBool, "\x02").bytes(), ErrorKind::corrupt, "no boolean");
  Gguf counts;
  counts.key_count = ~u64{0};
  expect_refused(counts.bytes(), ErrorKind::limit, "keys are more than");
  counts.key_count = 1'000'000;
  expect_refused(counts.bytes(), ErrorKind::truncated, "");
  counts.key_count = 0;
  counts.tensor_count = ~u64{0};
  expect_refused(counts.bytes(), ErrorKind::limit, "tensors are more than");
}

// Zeros without end: a sparse file of 8 TiB whose one array claims to fill it with empty strings.
TEST(HostileGguf, Row32_SparseFiles) {
  const TestDirectory directory;
  const std::string path = directory.write(
      "hostile.gguf", Gguf().key("k", kArray, little_endian(u32{kString}) + little_endian(u64{1} << 40)).bytes());
  std::error_code error;
  std::filesystem::resize_file(path, u64{1} << 43, error);
  if (error) GTEST_SKIP() << "this file system has no sparse files of 8 TiB: " << error.message();
  within_limits([&] { EXPECT_THAT(open_error(path).what(), HasSubstr("the header is longer than")); });
}

TEST(HostileGguf, Row33_Dimensions) {
  const auto with = [](const std::vector<u64>& dimensions, u32 type = kTypeF32) {
    return Gguf().tensor("blk.0", dimensions, type, 0).bytes(std::string(64, 'x'));
  };
  const u64 odd = (u64{1} << 42) + 1;
  expect_refused(with({odd}), ErrorKind::truncated, "tensor 'blk.0' takes 17592186044420 bytes");
  expect_refused(with({odd, odd}), ErrorKind::corrupt, "tensor 'blk.0': its shape");
  expect_refused(with({u64{1} << 62, 2}), ErrorKind::corrupt, "tensor 'blk.0': its shape");
  expect_refused(with({u64{1} << 62}), ErrorKind::corrupt, "tensor 'blk.0': its shape");
  expect_refused(with({u64{1} << 63}), ErrorKind::corrupt, "tensor 'blk.0': its shape");
  expect_refused(with({u64{1} << 32, u64{1} << 32, 0}), ErrorKind::corrupt, "tensor 'blk.0': its shape");
  expect_refused(with({1, 1, 1, 1, 1}), ErrorKind::corrupt, "5 dimensions");
  expect_refused(with({33}, kTypeQ4_0), ErrorKind::corrupt, "not whole blocks of Q4_0 32");
  expect_refused(with({1, 256}, kTypeQ6_K), ErrorKind::corrupt, "not whole blocks of Q6_K 256");
  expect_refused(with({256}, 9), ErrorKind::unsupported, "tensor 'blk.0' has type Q8_1");
  expect_refused(with({256}, 1234), ErrorKind::unsupported, "tensor 'blk.0' has type 1234");
  // Q8_K has 292 bytes for 256 elements: an empty tensor whose rows alone are more bytes than there are numbers.
  expect_refused(with({(u64{1} << 63) - 256, 0}, 15), ErrorKind::corrupt, "its rows have more than 2^63 bytes");
}

TEST(HostileGguf, Row34_Alignment) {
  for (const u32 alignment : {0u, 1u, 13u, 1u << 31, ~0u}) {
    expect_refused(Gguf().key("general.alignment", kU32, little_endian(alignment)).bytes(), ErrorKind::corrupt,
                   fmt::format("general.alignment is {}", alignment));
  }
  expect_refused(Gguf().key("general.alignment", kU64, little_endian(u64{32})).bytes(), ErrorKind::corrupt, "uint32");
  expect_refused(Gguf().key("general.alignment", kString, text("32")).bytes(), ErrorKind::corrupt, "uint32");
  expect_refused(Gguf().tensor("t", {1}, kTypeI8, 1).bytes("xx"), ErrorKind::corrupt, "not a multiple of 32");
}

TEST(HostileGguf, Row35_ByteSwappedVersion) {
  Gguf file;
  for (const u32 version : {u32{3} << 24, u32{2} << 24}) {
    file.version = version;
    expect_refused(file.bytes(), ErrorKind::unsupported, "byte-swapped");
  }
}

TEST(HostileGguf, Row36_AMillionKeys) {
  const TestDirectory directory;
  Gguf file;
  for (int i = 0; i < 1'000'000; ++i) {
    const std::string name = fmt::format(FMT_COMPILE("key.{:x}"), i);
    file.key(name, kU8, "x");
  }
  const std::string tensor = Gguf().tensor("t", {1}, kTypeI8, 0).tensors;
  file.tensors = tensor;
  file.tensor_count = 1;
  const std::string path = directory.write("many.gguf", file.bytes("x"));
  within_limits([&] { EXPECT_EQ(open_checkpoint(path)->tensors().size(), 1u); });
  file.key("key.7f", kU8, "x");
  expect_refused(file.bytes("x"), ErrorKind::corrupt, "appears again at offset");
}

TEST(HostileGguf, TensorsLieInsideAndApart) {
  expect_refused(Gguf().tensor("t", {33}, kTypeI8, 0).bytes(std::string(32, 'x')), ErrorKind::truncated,
                 "takes 33 bytes from 0 of the data, but the file holds only 32");
  expect_refused(Gguf().tensor("t", {1}, kTypeI8, ~u64{0} - 31).bytes("x"), ErrorKind::truncated, "tensor 't'");
  expect_refused(Gguf().tensor("a", {33}, kTypeI8, 0).tensor("b", {1}, kTypeI8, 32).bytes(std::string(64, 'x')),
                 ErrorKind::corrupt, "tensor 'b' begins at 32 of the data, inside the tensor before it");
  expect_refused(Gguf().tensor("a", {1}, kTypeI8, 0).tensor("a", {1}, kTypeI8, 32).bytes(std::string(64, 'x')),
                 ErrorKind::corrupt, "tensor 'a' appears twice");
  expect_refused(Gguf().tensor("a", {32}, kTypeQ4_0, 0).tensor("a.codes", {1}, kTypeI8, 32).bytes(std::string(64, 'x')),
                 ErrorKind::unsupported, "name of a part of another");
  expect_refused(Gguf().tensor(std::string(2000, 'n'), {1}, kTypeI8, 0).bytes("x"), ErrorKind::limit, "tensor name");
  // As many tensors as are allowed, all at one place.
  Gguf many;
  for (int i = 0; i < 65536; ++i) many.tensor(fmt::format("{:x}", i), {32}, kTypeQ4_0, 0);
  expect_refused(many.bytes(std::string(32, 'x')), ErrorKind::corrupt, "inside the tensor before it");
}

TEST(HostileGguf, Row29_NamesAreEscaped) {
  const Error error = [] {
    const TestDirectory directory;
    return open_error(directory.write("x.gguf", Gguf().tensor("\x1b[31m../../x", {1}, kTypeI8, 1).bytes("xx")));
  }();
  EXPECT_THAT(error.what(), HasSubstr("\\x1b[31m../../x"));
}

TEST(HostileGguf, Row31_AFileThatShrinks) {
  const TestDirectory directory;
  const std::string path =
      directory.write("model.gguf", Gguf().tensor("w", {64, 2}, kTypeQ4_0, 0).bytes(std::string(72, 'x')));
  const auto checkpoint = open_checkpoint(path);
  std::filesystem::resize_file(path, 128);
  try {
    checkpoint->read(0);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::truncated);
  }
}

// Whatever one byte of a small file becomes, opening and reading ends in tensors or in an Error; so does every cut.
TEST(HostileGguf, EveryByteChangedAndEveryCut) {
  const TestDirectory directory;
  const std::string good = Gguf()
                               .key("general.alignment", kU32, little_endian(u32{32}))
                               .key("k", kArray, little_endian(u32{kString}) + little_endian(u64{1}) + text("x"))
                               .tensor("q", {256, 2}, kTypeQ6_K, 0)
                               .tensor("p", {3, 1}, kTypeI8, 448)
                               .bytes(std::string(451, 'x'));
  const auto open_and_read = [&](const std::string& bytes) {
    const auto checkpoint = open_checkpoint(directory.write("changed.gguf", bytes));
    for (std::size_t i = 0; i < checkpoint->tensors().size(); ++i) checkpoint->read(i);
  };
  EXPECT_NO_THROW(open_and_read(good));
  for (std::size_t at = 0; at < good.size() - 451; ++at) {
    for (const char value : {'\0', '\1', '\x7f', '\xff', static_cast<char>(good[at] ^ 1)}) {
      std::string bytes = good;
      bytes[at] = value;
      try {
        open_and_read(bytes);
      } catch (const Error& error) {
        EXPECT_NE(error.kind(), ErrorKind::internal) << error.what();
      }
    }
  }
  for (std::size_t size = 0; size < good.size(); ++size) EXPECT_THROW(open_and_read(good.substr(0, size)), Error);
}

}  // namespace
}  // namespace wcodec
