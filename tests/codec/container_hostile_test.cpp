// Containers that are wrong: rows 1 to 21 and 31 of what a container must meet. Nothing may crash, hang, allocate by a
// number in the file, or leave an output.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "codec/checkpoint_codec.hpp"
#include "codec/container_index.hpp"
#include "codec/container_reader.hpp"
#include "core/hash.hpp"
#include "tests/codec/container_testing.hpp"
#include "tests/core/limited_child.hpp"

namespace wcodec {
namespace {

using container::ContainerIndex;
using ::testing::HasSubstr;

constexpr container::IndexLimits kLimits{u64{1} << 26};

class HostileContainer : public ::testing::Test {
 protected:
  HostileContainer() {
    const std::string source = directory_.write(
        "model.safetensors", make_safetensors({{"first", "I8", {24, 30}, weight_bytes(DType::int8, 720, 1)},
                                               {"second", "I8", {24, 30}, weight_bytes(DType::int8, 720, 2)},
                                               {"third", "BF16", {40, 16}, weight_bytes(DType::bf16, 640, 3)},
                                               {"none", "F32", {0, 4}, ""},
                                               {"last", "F32", {33}, weight_bytes(DType::f32, 33, 4)}}));
    EncodeOptions options;
    options.part_weights = 200;
    options.threads = 1;
    options.coder = "raw";  // so that equal shapes have records of equal size
    encode_checkpoint(source, directory_.path("good.wcodec"), options);
    good_ = file_bytes(directory_.path("good.wcodec"));
    const auto* footer = reinterpret_cast<const u8*>(good_.data() + good_.size() - container::kFooterBytes);
    const auto place = container::read_footer(Bytes(footer, container::kFooterBytes), good_.size(), "good");
    index_offset_ = place.index_offset;
    index_bytes_ = std::vector<u8>(good_.begin() + static_cast<std::ptrdiff_t>(place.index_offset),
                                   good_.begin() + static_cast<std::ptrdiff_t>(place.index_offset + place.index_bytes));
    index_ = container::read_index(index_bytes_, index_offset_, kLimits, "good");
  }

  // Removed first: some file systems flush a file to the disk that is cut to nothing and written again.
  std::string write_bad(const std::string& bytes) const {
    std::filesystem::remove(directory_.path("bad.wcodec"));
    return directory_.write("bad.wcodec", bytes);
  }
  static std::string text(const std::vector<u8>& bytes) { return {bytes.begin(), bytes.end()}; }
  // The layers as they are, then this index, sealed with good checksums.
  std::string with_index(const std::vector<u8>& index, const std::string& body) const {
    return body + text(index) + text(container::footer_bytes(body.size(), index));
  }
  std::string with_index(const std::vector<u8>& index) const { return with_index(index, body()); }
  std::string body() const { return good_.substr(0, index_offset_); }
  // What an edit of the index makes of the container; checksums are good again.
  std::string edited(const std::function<void(ContainerIndex&)>& edit) const {
    ContainerIndex index = index_;
    edit(index);
    return with_index(container::index_bytes(index));
  }

  // The error that every way of reading gives.
  Error refused(const std::string& bytes, const DecodeOptions& options = {}) {
    const std::string path = write_bad(bytes);
    std::string said;
    ErrorKind kind = ErrorKind::internal;
    try {
      decode_checkpoint(path, directory_.path("out"), options);
      ADD_FAILURE() << "decoded";
    } catch (const Error& error) {
      kind = error.kind();
      said = error.what();
      EXPECT_THAT(said, HasSubstr("bad.wcodec"));
      EXPECT_NE(kind, ErrorKind::internal) << said;
    }
    EXPECT_THROW(check_container(path, options), Error);
    EXPECT_FALSE(std::filesystem::exists(directory_.path("out")));
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_.path("")), {}), 3) << "temporary left";
    return {kind, said};
  }
  void expect_refused(const std::string& bytes, ErrorKind kind, const std::string& said) {
    const Error error = refused(bytes);
    EXPECT_EQ(to_string(error.kind()), to_string(kind)) << error.what();
    EXPECT_THAT(error.what(), HasSubstr(said));
  }

  TestDirectory directory_;
  std::string good_;
  u64 index_offset_ = 0;
  std::vector<u8> index_bytes_;
  ContainerIndex index_;
};

TEST_F(HostileContainer, TheGoodOneIsGood) {
  write_bad(with_index(container::index_bytes(index_)));
  EXPECT_EQ(file_bytes(directory_.path("bad.wcodec")), good_) << "reading and writing the index changes nothing";
  EXPECT_EQ(check_container(directory_.path("bad.wcodec")).layers, 5u);
}

TEST_F(HostileContainer, Row1EmptyAndShort) {
  expect_refused("", ErrorKind::truncated, "too few");
  expect_refused(good_.substr(0, 31), ErrorKind::truncated, "too few");
  expect_refused(good_.substr(0, 63), ErrorKind::truncated, "too few");
}

TEST_F(HostileContainer, Row2MagicVersionFlags) {
  const auto sealed = [&](std::size_t at, char value) {
    std::string bytes = good_;
    bytes[at] = value;
    const u32 crc = crc32(Bytes(reinterpret_cast<const u8*>(bytes.data()), 28));
    std::memcpy(bytes.data() + 28, &crc, 4);
    return bytes;
  };
  expect_refused(sealed(0, 'X'), ErrorKind::corrupt, "does not begin with 'WCDC'");
  expect_refused(sealed(4, 7), ErrorKind::unsupported, "version 7 (this build reads version 1): use a newer wcodec");
  expect_refused(sealed(4, 0), ErrorKind::unsupported, "version 0, a draft that no release wrote");
  expect_refused(sealed(4, 0), ErrorKind::unsupported, "encode the original again");
  for (std::size_t at = 5; at < 28; ++at) expect_refused(sealed(at, 1), ErrorKind::unsupported, "flags");
}

TEST_F(HostileContainer, Row3ReservedAndPadding) {
  std::size_t padding = 0;
  const auto zero = [&](u64 from, u64 to) {
    for (u64 at = from; at < to; ++at, ++padding) {
      std::string bytes = good_;
      bytes[at] = 1;
      expect_refused(bytes, ErrorKind::corrupt, "padding");
    }
  };
  u64 end = container::kHeaderBytes;
  for (const auto& layer : index_.layers) {
    if (layer.parts.empty()) continue;
    zero(end, layer.offset);
    end = layer.parts.back().offset + layer.parts.back().bytes;
  }
  zero(end, index_.files[0].raw_offset);
  zero(index_.files[0].raw_offset + index_.files[0].raw_coded_bytes, index_offset_);
  EXPECT_GT(padding, 200u);
  // The footer's reserved word, with its checksum made good.
  std::string bytes = good_;
  bytes[bytes.size() - 12] = 1;
  const u32 crc = crc32(Bytes(reinterpret_cast<const u8*>(bytes.data() + bytes.size() - 32), 28));
  std::memcpy(bytes.data() + bytes.size() - 4, &crc, 4);
  expect_refused(bytes, ErrorKind::corrupt, "reserved");
}

TEST_F(HostileContainer, Row4CountsThatCannotBe) {
  within_limits([&] {
    for (const u64 count : {~u64{0}, u64{1} << 62, u64{1} << 32, u64{100000}}) {
      ByteWriter stages;  // a model name, then the number of stage descriptions
      stages.varint(0);
      stages.varint(count);
      expect_refused(with_index(stages.bytes), ErrorKind::corrupt, "cannot be in");
      ByteWriter files;
      for (int i = 0; i < 2 + static_cast<int>(kLedgerEntries); ++i) files.varint(0);
      files.varint(count);
      expect_refused(with_index(files.bytes), ErrorKind::corrupt, "cannot be in");
      ByteWriter layers;
      for (int i = 0; i < 2 + static_cast<int>(kLedgerEntries); ++i) layers.varint(0);
      layers.varint(1);
      layers.varint(1);
      layers.write('f');
      layers.varint(count);
      expect_refused(with_index(layers.bytes), ErrorKind::corrupt, "cannot be in");
    }
  });
}

TEST_F(HostileContainer, Row5SizesThatWrap) {
  for (const u64 size : {~u64{0}, u64{1} << 63, good_.size() + 1}) {
    expect_refused(edited([&](ContainerIndex& i) { i.layers[0].records[0].bytes = size; }), ErrorKind::corrupt,
                   "record");
    expect_refused(edited([&](ContainerIndex& i) { i.files[0].raw_coded_bytes = size; }), ErrorKind::corrupt,
                   "raw bytes");
    expect_refused(edited([&](ContainerIndex& i) { i.files[0].tail_bytes = size; }), ErrorKind::corrupt, "");
    expect_refused(edited([&](ContainerIndex& i) { i.layers[0].gap_bytes = size; }), ErrorKind::corrupt, "");
    expect_refused(edited([&](ContainerIndex& i) { i.records[LedgerEntry::payload] = size; }), ErrorKind::corrupt,
                   "ledger");
  }
  expect_refused(edited([&](ContainerIndex& i) { i.layers[0].offset = ~u64{127}; }), ErrorKind::corrupt, "offset");
}

TEST_F(HostileContainer, Row6Overlap) {
  expect_refused(edited([](ContainerIndex& i) { i.layers[1].offset = i.layers[0].offset; }), ErrorKind::corrupt,
                 "overlap");
  expect_refused(edited([](ContainerIndex& i) { i.files[0].raw_offset = i.layers[0].offset; }), ErrorKind::corrupt,
                 "overlap");
  expect_refused(edited([](ContainerIndex& i) { i.layers[0].offset = 0; }), ErrorKind::corrupt, "overlap");
}

TEST_F(HostileContainer, Row7Alignment) {
  expect_refused(edited([](ContainerIndex& i) { --i.layers[1].offset; }), ErrorKind::corrupt, "not aligned");
  std::string moved = body() + std::string(8, '\0');
  expect_refused(with_index(index_bytes_, moved), ErrorKind::corrupt, "not aligned");
}

TEST_F(HostileContainer, Row8HolesAndBytesLeftOver) {
  expect_refused(good_ + '\0', ErrorKind::corrupt, "footer");
  expect_refused(with_index(index_bytes_, body() + std::string(128, '\0')), ErrorKind::corrupt, "belong to nothing");
  expect_refused(edited([](ContainerIndex& i) { i.layers[1].offset += 128; }), ErrorKind::corrupt, "hole");
  std::vector<u8> longer = index_bytes_;
  longer.push_back(0);
  expect_refused(with_index(longer), ErrorKind::corrupt, "left over");
  const std::vector<u8> shorter(index_bytes_.begin(), index_bytes_.end() - 1);
  expect_refused(with_index(shorter), ErrorKind::truncated, "index");
  expect_refused(edited([](ContainerIndex& i) { ++i.records[LedgerEntry::payload]; }), ErrorKind::corrupt, "ledger");
}

TEST_F(HostileContainer, Row9ShapesThatOverflow) {
  const i64 big = i64{1} << 40;
  for (const std::vector<i64>& shape : std::vector<std::vector<i64>>{{big, big}, {INT64_MAX, 2}, {big, big, 0}}) {
    expect_refused(edited([&](ContainerIndex& i) { i.layers[2].shape = shape; }), ErrorKind::corrupt, "63 bits");
  }
  expect_refused(edited([&](ContainerIndex& i) { i.layers[2].shape = {INT64_MAX}; }), ErrorKind::corrupt, "63 bits");
  expect_refused(edited([&](ContainerIndex& i) { i.layers[2].shape.assign(65, 1); }), ErrorKind::corrupt, "dimensions");
}

TEST_F(HostileContainer, Row11MoreThanTheLimit) {
  within_limits([&] {
    // A part of 2^40 weights in a few bytes.
    expect_refused(edited([](ContainerIndex& i) {
                     auto& layer = i.layers[0];
                     layer.shape = {i64{1} << 40};
                     layer.part_elements = u64{1} << 40;
                     layer.parts.resize(1);
                     layer.records.resize(1);
                   }),
                   ErrorKind::limit, "above the limit");
    // Raw bytes of a tebibyte: refused by the caller's limit, and where that is high, when they do not come.
    const std::string bomb = edited([](ContainerIndex& i) { i.files[0].tail_bytes = u64{1} << 39; });
    DecodeOptions options;
    options.max_output_bytes = u64{1} << 30;
    EXPECT_EQ(refused(bomb, options).kind(), ErrorKind::limit);
    EXPECT_EQ(refused(bomb).kind(), ErrorKind::corrupt);
    const auto reader = ContainerReader::open(directory_.path("bad.wcodec"));
    EXPECT_THROW(reader->read_raw(0), Error);
    EXPECT_THROW(reader->read_raw(0, ~u64{0}), Error);
  });
}

TEST_F(HostileContainer, Row16UnknownIds) {
  const auto swapped = [&](std::size_t at_layer, u8 dtype) {
    return edited([&](ContainerIndex& i) { i.layers[at_layer].dtype = static_cast<DType>(dtype); });
  };
  expect_refused(swapped(0, 99), ErrorKind::corrupt, "unknown dtype 99");
  expect_refused(swapped(0, static_cast<u8>(DType::int4)), ErrorKind::corrupt, "less than a byte");
  // Another dtype of the same width: the record says otherwise.
  expect_refused(swapped(0, static_cast<u8>(DType::uint8)), ErrorKind::corrupt, "another shape or type");
  expect_refused(edited([](ContainerIndex& i) { i.layers[0].stages = 5; }), ErrorKind::corrupt, "stages");
}

// Row 17: what is corrupt behind good checksums may decode to other weights, but never beyond its memory.
TEST_F(HostileContainer, Row17FlipsBehindRepairedChecksums) {
  within_limits([&] {
    Philox random(17, 1);
    for (int round = 0; round < 400; ++round) {
      ContainerIndex index = index_;
      std::string bytes = body();
      const std::size_t layer = random.below(3);
      const std::size_t record = random.below(static_cast<u32>(index.layers[layer].records.size()));
      u64 at = index.layers[layer].offset;
      for (std::size_t before = 0; before < record; ++before) at += index.layers[layer].records[before].bytes;
      const u64 size = index.layers[layer].records[record].bytes;
      for (u64 flips = 1 + random.below(3); flips > 0; --flips) {
        bytes[at + random.below(static_cast<u32>(size - 4))] ^= static_cast<char>(1 << random.below(8));
      }
      const u32 crc = crc32(Bytes(reinterpret_cast<const u8*>(bytes.data() + at), size - 4));
      std::memcpy(bytes.data() + at + size - 4, &crc, 4);
      index.layers[layer].records[record].crc = crc;
      const std::string path = write_bad(with_index(container::index_bytes(index), bytes));
      // The checksum of the decoded bytes still stands.
      EXPECT_THROW(check_container(path), Error) << round;
    }
  });
}

TEST_F(HostileContainer, Row17IndexFlipsBehindRepairedChecksums) {
  within_limits([&] {
    for (std::size_t bit = 0; bit < index_bytes_.size() * 8; ++bit) {
      std::vector<u8> index = index_bytes_;
      index[bit / 8] ^= static_cast<u8>(1 << bit % 8);
      const std::string path = write_bad(with_index(index));
      try {
        const CodecStats stats = check_container(path);
        EXPECT_EQ(stats.ledger.total(), stats.container_bytes);
      } catch (const Error& error) {
        EXPECT_NE(error.kind(), ErrorKind::internal) << bit << error.what();
        EXPECT_NE(error.kind(), ErrorKind::io) << bit << error.what();
      }
      try {
        const auto reader = ContainerReader::open(path);
        for (std::size_t i = 0; i < reader->tensors().size(); ++i) {
          if (reader->tensors()[i].memory_bytes() < 1 << 20) reader->read(i);
        }
      } catch (const Error& error) {
        EXPECT_NE(error.kind(), ErrorKind::internal) << bit << error.what();
      }
    }
  });
}

TEST_F(HostileContainer, Row18AChecksumIsFlipped) {
  const std::string path = directory_.path("bad.wcodec");
  expect_refused(edited([](ContainerIndex& i) { i.layers[0].records[1].crc ^= 1; }), ErrorKind::corrupt,
                 "'first', part 1");
  const auto reader = ContainerReader::open(path);
  std::vector<u8> row(30, u8{0xee});
  EXPECT_NO_THROW(reader->read_rows(0, 0, 1, row)) << "part 0 is whole";
  std::fill(row.begin(), row.end(), u8{0xee});
  EXPECT_THROW(reader->read_rows(0, 7, 1, row), Error);
  EXPECT_EQ(row, std::vector<u8>(30, u8{0xee})) << "no output is released";
  expect_refused(edited([](ContainerIndex& i) { i.layers[0].parts[0].source_crc ^= 1; }), ErrorKind::corrupt,
                 "decoded bytes");
  expect_refused(edited([](ContainerIndex& i) { i.files[0].raw_coded_crc ^= 1; }), ErrorKind::corrupt, "checksum");
  expect_refused(edited([](ContainerIndex& i) { i.files[0].raw_crc ^= 1; }), ErrorKind::corrupt, "checksum");
}

TEST_F(HostileContainer, Row19SwappedLayersAndParts) {
  const auto& first = index_.layers[0];
  const auto& second = index_.layers[1];
  ASSERT_EQ(first.parts[0].bytes, second.parts[0].bytes);
  const auto swapped = [&](u64 a, u64 b, u64 size) {
    std::string bytes = good_;
    std::swap_ranges(bytes.begin() + static_cast<std::ptrdiff_t>(a),
                     bytes.begin() + static_cast<std::ptrdiff_t>(a + size),
                     bytes.begin() + static_cast<std::ptrdiff_t>(b));
    return bytes;
  };
  const u64 layer_bytes = first.parts.back().offset + first.parts.back().bytes - first.offset;
  expect_refused(swapped(first.offset, second.offset, layer_bytes), ErrorKind::corrupt,
                 "not the record that belongs here");
  expect_refused(swapped(first.parts[0].offset, first.parts[1].offset, first.parts[0].bytes), ErrorKind::corrupt,
                 "not the record that belongs here");
}

TEST_F(HostileContainer, Row29NamesAreNoPaths) {
  const std::vector<std::string> names = {"../../x", "/etc/passwd",        "", ".", "..", "a/b", std::string("a\0b", 3),
                                          "a\\b",    std::string(256, 'a')};
  for (const std::string& name : names) {
    expect_refused(edited([&](ContainerIndex& i) { i.files[0].name = name; }), ErrorKind::corrupt,
                   "not the name of a file");
  }
  // What comes to a terminal from a layer's name is escaped.
  const Error error = refused(edited([](ContainerIndex& i) {
    i.layers[0].name = "\x1b[31m../../x";
    i.layers[0].records[0].crc ^= 1;
  }));
  EXPECT_THAT(error.what(), HasSubstr("\\x1b[31m../../x"));
  expect_refused(edited([](ContainerIndex& i) { i.files.push_back(i.files[0]); }), ErrorKind::corrupt, "");
}

TEST_F(HostileContainer, TensorsOfOneName) {
  const std::string path = write_bad(edited([](ContainerIndex& i) { i.layers[1].name = i.layers[0].name; }));
  EXPECT_THROW(ContainerReader::open(path), Error);
}

TEST_F(HostileContainer, Row31TruncatedWhileOpen) {
  const std::string path = write_bad(good_);
  const auto reader = ContainerReader::open(path);
  std::filesystem::resize_file(path, index_.layers[1].offset + 10);
  std::vector<u8> row(30);
  EXPECT_NO_THROW(reader->read_rows(0, 0, 1, row));
  try {
    reader->read_rows(1, 0, 1, row);
    ADD_FAILURE() << "read";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::truncated) << error.what();
    EXPECT_THAT(error.what(), HasSubstr("'second', part 0"));
  }
}

// tests/codec_slow has a container of 64 KiB.
TEST_F(HostileContainer, EveryBitFlipIsRefused) {
  const std::string path = write_bad(good_);
  EXPECT_EQ(flips_accepted(path, 0, 1), 0u);
  EXPECT_EQ(file_bytes(path), good_);
}

TEST_F(HostileContainer, EveryTruncationIsRefused) {
  std::size_t accepted = 0;
  for (std::size_t size = 0; size < good_.size(); ++size) {
    try {
      check_container(write_bad(good_.substr(0, size)));
      ++accepted;
    } catch (const Error&) {
    }
  }
  EXPECT_EQ(accepted, 0u);
}

}  // namespace
}  // namespace wcodec
