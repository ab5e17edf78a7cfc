// Transforms in the record: every transform × dtype × shape × tile round-trips, the probe finds planted structure and
// keeps its hands off noise, and hostile records are refused.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "codec/tensor_codec.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/philox.hpp"

namespace wcodec {
namespace {

const std::vector<std::string>& specs() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> names{std::string(kProbe)};
    for (const Transform& row : transforms()) names.emplace_back(row.name);
    return names;
  }();
  return all;
}

// Words of any type: noise, except that the upper half of the matrix is a smooth surface in the top byte.
QuantizedTensor tensor_of(DType dtype, i64 rows, i64 cols) {
  const DTypeInfo& d = info(dtype);
  const auto size = static_cast<std::size_t>(d.memory_bytes);
  QuantizedTensor out{rows, cols, word_format(d), {}, {}};
  out.words.resize(out.weights() * size);
  Philox random(21, static_cast<u64>(dtype));
  for (u64 i = 0; i < out.weights(); ++i) {
    const double y = static_cast<double>(i / static_cast<u64>(cols)),
                 x = static_cast<double>(i % static_cast<u64>(cols));
    u64 word = random.next64();
    if (y * 2 < static_cast<double>(rows)) {
      const double surface = std::sin(0.1 * x) * std::cos(0.15 * y) * 0.45 + 0.5;
      word = static_cast<u64>(surface * std::ldexp(1.0, d.bits));
    }
    if (d.bits < 64) word &= (u64{1} << d.bits) - 1;
    if (d.number == NumberClass::signed_int && d.bits < 8 * d.memory_bytes && (word >> (d.bits - 1) & 1))
      word |= ~u64{0} << d.bits;
    std::memcpy(out.words.data() + i * size, &word, size);
  }
  return out;
}

// As they stand in a record, behind their size.
std::vector<i16> escapes_of(Bytes written, int bits) {
  ByteWriter record;
  record.varint(written.size());
  record.append(written);
  ByteReader in(record.bytes);
  return read_escapes(in, bits);
}

class EveryType : public ::testing::TestWithParam<int> {};

TEST_P(EveryType, RoundTripsEveryTransformShapeAndTile) {
  for (const auto& [rows, cols] : {std::pair{0, 0}, {0, 9}, {1, 1}, {7, 40}, {8, 8}, {37, 53}, {64, 64}}) {
    const QuantizedTensor tensor = tensor_of(static_cast<DType>(GetParam()), rows, cols);
    for (const std::string& spec : specs()) {
      for (const TileShape shape : {TileShape{16, 16}, {8, 32}, {20, 12}, {5, 7}, {64, 64}}) {
        for (const char* coder : {"raw", "rans", "rans:tables=row-col-scale"}) {
          const TransformSet set = parse_transform_set(spec);
          const EncodedTensor encoded =
              encode_tensor(tensor, shape, parse_mode_set({"none", "left"}), parse_coder(coder), set);
          ASSERT_EQ(encoded.ledger.total(), encoded.bytes.size());
          ASSERT_EQ(decode_tensor(encoded.bytes).words, tensor.words)
              << spec << " " << to_string(shape) << " " << coder;
          ASSERT_TRUE(set.rows.size() > 1 || encoded.ledger[LedgerEntry::transform] == 0);
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(DTypes, EveryType, ::testing::Range(0, 23),
                         [](const auto& p) { return std::string(wcodec::info(static_cast<DType>(p.param)).name); });

std::vector<u8> signed_plane(const std::vector<int>& values) {
  std::vector<u8> out;
  for (const int v : values) out.push_back(static_cast<u8>(v));
  return out;
}

TEST(PlaneTransform, EveryAlphabetReconstructsExtremes) {
  Philox random(3, 3);
  for (int bits = 1; bits <= 8; ++bits) {
    const TileGrid grid{19, 26, {19, 26}};
    for (int fill = 0; fill < 4; ++fill) {
      std::vector<u8> residuals(19 * 26);
      for (u8& r : residuals) {
        const u8 values[] = {static_cast<u8>(1 << (bits - 1)), static_cast<u8>((1 << (bits - 1)) - 1),
                             static_cast<u8>(random.below(1u << bits)), static_cast<u8>(random.below(2) << (bits - 1))};
        r = values[fill];
      }
      for (const std::string& spec : specs()) {
        const TransformSet set = parse_transform_set(spec);
        const TransformedPlane plane = transform_plane(residuals, grid, bits, set);
        for (const u8 symbol : plane.symbols) ASSERT_LT(symbol, 1 << bits);
        std::vector<u8> back = plane.symbols;
        restore_plane(back, grid, bits, set, plane.transform_of_block, escapes_of(plane.escapes, bits));
        ASSERT_EQ(back, residuals) << spec << " " << bits;
      }
    }
  }
}

TEST(PlaneTransform, CoefficientsStandInTheirBandsAndLargeOnesEscape) {
  // One constant block of 100: its DC is 800, which escapes as 2·(800 − 128); all else is 0. The tile's ninth row and
  // column are left alone.
  std::vector<int> values(81, 7);
  for (int r = 0; r < 8; ++r) {
    for (int c = 0; c < 8; ++c) values[static_cast<std::size_t>(r * 9 + c)] = 100;
  }
  const TransformedPlane plane =
      transform_plane(signed_plane(values), {9, 9, {16, 16}}, 8, parse_transform_set("dct8"));
  for (int r = 0; r < 9; ++r) {
    for (int c = 0; c < 9; ++c) {
      const int expected = r == 8 || c == 8 ? 7 : 0;
      EXPECT_EQ(plane.symbols[static_cast<std::size_t>(r * 9 + c)], r + c == 0 ? 0x80 : expected);
    }
  }
  ByteReader escapes(plane.escapes);
  EXPECT_NEAR(static_cast<double>(escapes.varint("escape")), 2 * (800 - 128), 4);
  EXPECT_EQ(escapes.remaining(), 0u);
}

TEST(PlaneTransform, BlocksAreCounted) {
  EXPECT_EQ(block_count({64, 64, {16, 16}}), 64u);
  EXPECT_EQ(block_count({64, 64, {12, 20}}), 5u * 3 * 2);  // 5 tiles of 12 rows; 3 of 20 columns, two blocks each
  EXPECT_EQ(block_count({65, 71, {16, 16}}), 8u * 8);
  EXPECT_EQ(block_count({7, 800, {16, 16}}), 0u);
  EXPECT_EQ(block_count({0, 800, {16, 16}}), 0u);
  EXPECT_EQ(block_count({100, 100, {5, 5}}), 0u);
}

QuantizedTensor int8_tensor(i64 side, const std::function<double(i64 r, i64 c, double noise)>& value) {
  QuantizedTensor tensor{side, side, word_format(info(DType::int8)), {}, {}};
  Philox random(8, 1);
  for (i64 r = 0; r < side; ++r) {
    for (i64 c = 0; c < side; ++c) tensor.words.push_back(static_cast<u8>(std::lround(value(r, c, random.normal()))));
  }
  return tensor;
}

u64 coded_size(const QuantizedTensor& tensor, sv transform) {
  return encode_tensor(tensor, {16, 16}, parse_mode_set({"none"}), parse_coder("rans"), parse_transform_set(transform))
      .bytes.size();
}

TEST(RateProbe, FindsSmoothBlocksAndLeavesNoiseAlone) {
  const QuantizedTensor mixed = int8_tensor(128, [](i64 r, i64 c, double noise) {
    return c < 64 ? 60 * std::sin(0.2 * static_cast<double>(r)) + 30 * std::cos(0.17 * static_cast<double>(c)) + noise
                  : 25 * noise;
  });
  const auto planes = split_planes(mixed);
  const TileGrid grid{128, 128, {16, 16}};
  const ModeChoice choice = PlanePredictions(planes[0], grid).choose(parse_mode_set({"none"}));
  const TransformedPlane plane = transform_plane(choice.residuals, grid, 8, parse_transform_set("probe"));
  std::size_t smooth = 0;
  for (std::size_t block = 0; block < 256; ++block) {
    const bool left_half = block / 4 % 8 < 4;
    if (left_half && plane.transform_of_block[block] != 0) ++smooth;
  }
  EXPECT_EQ(smooth, 128u);
  EXPECT_LT(coded_size(mixed, "probe"), coded_size(mixed, "dct8"));
  EXPECT_LT(coded_size(mixed, "dct8") * 100, coded_size(mixed, "identity") * 90);

  const QuantizedTensor noise = int8_tensor(128, [](i64, i64, double n) { return 25 * n; });
  EXPECT_LE(coded_size(noise, "probe"),
            coded_size(noise, "identity") + 8);  // 3 ids, a constant side stream, no escapes; a word
}

TEST(TransformRecord, IdentityIsTheRecordWithoutTransforms) {
  const QuantizedTensor tensor = tensor_of(DType::int8, 40, 40);
  const auto modes = parse_mode_set({"none", "top"});
  EXPECT_EQ(encode_tensor(tensor, {16, 16}, modes, parse_coder("rans"), parse_transform_set("identity")).bytes,
            encode_tensor(tensor, {16, 16}, modes, parse_coder("rans")).bytes);
}

class HostileTransforms : public ::testing::Test {
 protected:
  static std::vector<u8> sealed(std::vector<u8> bytes) {
    const u32 crc = crc32(Bytes(bytes).first(bytes.size() - 4));
    std::memcpy(bytes.data() + bytes.size() - 4, &crc, 4);
    return bytes;
  }
  static ErrorKind kind_of(const std::vector<u8>& bytes) {
    try {
      decode_tensor(bytes, 1 << 20);
    } catch (const Error& error) {
      return error.kind();
    }
    return ErrorKind::internal;
  }
  static constexpr std::size_t kTransformAt = 14;  // magic, version, format, shape and tile of one byte each
  std::vector<u8> good_ = encode_tensor(tensor_of(DType::int8, 24, 24), {8, 8}, parse_mode_set({"none"}),
                                        parse_coder("raw"), parse_transform_set("probe"))
                              .bytes;
};

TEST_F(HostileTransforms, NamesWhatIsWrong) {
  ASSERT_EQ(good_[kTransformAt], transforms().size());
  EXPECT_EQ(decode_tensor(good_).words, tensor_of(DType::int8, 24, 24).words);
  auto edited = good_;
  edited[kTransformAt] = 200;
  EXPECT_EQ(kind_of(sealed(edited)), ErrorKind::corrupt);
  edited = good_;
  edited[kTransformAt + 2] = 99;  // no such id
  EXPECT_EQ(kind_of(sealed(edited)), ErrorKind::corrupt);
  edited = good_;
  std::swap(edited[kTransformAt + 1], edited[kTransformAt + 2]);
  EXPECT_EQ(kind_of(sealed(edited)), ErrorKind::corrupt);
  edited = good_;
  edited.erase(edited.end() - 6, edited.end() - 4);  // an escape is missing, or half of one
  EXPECT_NE(kind_of(sealed(edited)), ErrorKind::internal);
}

TEST_F(HostileTransforms, FlipsAndTruncationsBehindARepairedChecksumNeverCrash) {
  for (std::size_t bit = 0; bit < (good_.size() - 4) * 8; ++bit) {
    std::vector<u8> flipped = good_;
    flipped[bit / 8] ^= static_cast<u8>(1 << bit % 8);
    EXPECT_THROW(decode_tensor(flipped), Error);
    try {
      decode_tensor(sealed(flipped), u64{1} << 20);
    } catch (const Error&) {
    }
  }
  for (std::size_t size = 4; size < good_.size(); ++size) {
    std::vector<u8> cut(good_.begin(), good_.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_THROW(decode_tensor(sealed(cut)), Error) << size;
  }
}

TEST(PlaneTransform, RefusesCoefficientsAndResidualsOutOfRange) {
  const TransformSet dct = parse_transform_set("dct8");
  std::vector<u8> symbols(64);
  const auto restore = [&](const std::vector<u8>& escapes) {
    std::vector<u8> work = symbols;
    restore_plane(work, {8, 8, {8, 8}}, 8, dct, {}, escapes_of(escapes, 8));
  };
  symbols[0] = 0x80;
  ByteWriter escape;
  escape.varint(2 * (800 - 128));
  EXPECT_NO_THROW(restore(escape.bytes));  // a block of 100
  escape.bytes.clear();
  escape.varint(2 * (1060 - 128));  // a block of 132: no 8-bit residual
  EXPECT_THROW(restore(escape.bytes), Error);
  for (const u64 value : {u64{2} * (kMaxCoefficient - 128) + 2, ~u64{0}, u64{1} << 32}) {
    escape.bytes.clear();
    escape.varint(value);
    EXPECT_THROW(restore(escape.bytes), Error) << value;
  }
  EXPECT_THROW(restore({}), Error);
  escape.bytes.clear();
  for (int i = 0; i < 2; ++i) escape.varint(0);  // one more than there are symbols that call for it
  EXPECT_THROW(restore(escape.bytes), Error);
}

}  // namespace
}  // namespace wcodec
