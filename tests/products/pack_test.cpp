// Packing keeps every word, whatever its bits, and says what it cannot take.
#include "products/packed_matrix.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "codec/tensor_codec.hpp"
#include "core/error.hpp"
#include "core/philox.hpp"
#include "products/integer_tile.hpp"
#include "products/palette_tile.hpp"
#include "quantizers/half.hpp"

namespace wcodec {
namespace {

std::vector<u16> gaussian(i64 rows, i64 cols, u64 seed) {
  Philox random(seed, 1);
  std::vector<u16> weights;
  for (i64 r = 0; r < rows; ++r) {
    const double scale = 0.02 * std::exp(0.5 * random.normal());
    for (i64 c = 0; c < cols; ++c) weights.push_back(float_to_bf16(static_cast<float>(scale * random.normal())));
  }
  return weights;
}

std::vector<u16> words_of(const PackedMatrix& packed) {
  const std::vector<u8> bytes = unpack_words(packed);
  std::vector<u16> words(bytes.size() / 2);
  std::memcpy(words.data(), bytes.data(), bytes.size());
  return words;
}

struct Matrix {
  const char* name;
  i64 rows, cols;
  std::vector<u16> weights;
};

std::vector<Matrix> matrices() {
  std::vector<Matrix> out;
  for (const auto& [rows, cols] : {std::pair<i64, i64>{1, 1}, {15, 63}, {16, 64}, {17, 65}, {40, 200}, {3, 4096}})
    out.push_back({"gaussian", rows, cols, gaussian(rows, cols, 7)});
  Philox random(3, 1);
  Matrix any{"every bit pattern", 16, 65536, {}};
  for (u32 i = 0; i < 16 * 65536; ++i) any.weights.push_back(static_cast<u16>(i * 40503u));
  out.push_back(std::move(any));
  Matrix noise{"random bits", 33, 130, {}};
  for (i64 i = 0; i < noise.rows * noise.cols; ++i) noise.weights.push_back(static_cast<u16>(random.next32()));
  out.push_back(std::move(noise));
  Matrix special{"zeros, infinities, NaN, subnormals", 16, 64, {}};
  const u16 kinds[] = {0x0000, 0x8000, 0x7f80, 0xff80, 0x7fc1, 0xffff, 0x0001, 0x807f, 0x0080, 0x7f7f, 0xff7f};
  for (i64 i = 0; i < special.rows * special.cols; ++i) special.weights.push_back(kinds[random.below(11)]);
  out.push_back(std::move(special));
  return out;
}

TEST(PackBf16, EveryWordComesBack) {
  for (const Matrix& m : matrices()) {
    SCOPED_TRACE(testing::Message() << m.name << ' ' << m.rows << " x " << m.cols);
    EXPECT_EQ(words_of(pack_bf16_plain(m.rows, m.cols, m.weights)), m.weights);
    EXPECT_EQ(words_of(pack_bf16_palette(m.rows, m.cols, m.weights)), m.weights);
  }
}

TEST(PackBf16, GaussianWeightsTakeLittleMoreThanTwelveBits) {
  const PackedMatrix packed = pack_bf16_palette(256, 4096, gaussian(256, 4096, 1));
  EXPECT_LT(packed.shape.bits_per_weight(), 12.06);
  EXPECT_GT(packed.shape.bits_per_weight(), 12.0);
  EXPECT_GT(packed.escapes, 0u);
  EXPECT_LT(packed.escapes, 256u * 4096 / 1000);
}

TEST(PackBf16, ZerosAreNoEscapes) {
  std::vector<u16> weights = gaussian(16, 640, 2);
  for (std::size_t i = 0; i < weights.size(); i += 2) weights[i] = i % 4 ? 0x8000 : 0;
  EXPECT_LT(pack_bf16_palette(16, 640, weights).escapes, 20u);
}

TEST(PackBf16, PlainWhereEscapesWouldTakeMore) {
  Philox random(5, 1);
  QuantizedTensor tensor{64, 640, word_format(info(DType::bf16)), std::vector<u8>(64 * 640 * 2), {}};
  for (u8& byte : tensor.words) byte = static_cast<u8>(random.next32());
  EXPECT_EQ(pack(tensor, parse_quantizer("lossless")).shape.format, PackedFormat::bf16);
  const std::vector<u16> weights = gaussian(64, 640, 5);
  std::memcpy(tensor.words.data(), weights.data(), tensor.words.size());
  EXPECT_EQ(pack(tensor, parse_quantizer("lossless")).shape.format, PackedFormat::bf16_palette);
}

TEST(PackIntegers, EveryWordComesBack) {
  std::vector<float> values;
  Philox random(11, 1);
  for (int i = 0; i < 37 * 333; ++i) values.push_back(static_cast<float>(random.normal()));
  const MatrixView matrix{"w", DType::f32, 37, 333,
                          Bytes(reinterpret_cast<const u8*>(values.data()), values.size() * 4)};
  for (const char* spec : {"int8:axis=row", "int8:axis=tensor", "int8:axis=group,group=64", "int4:group=64",
                           "int4:group=128", "int4:group=256,symmetric=false", "int4:axis=row,scale=bf16"}) {
    SCOPED_TRACE(spec);
    const QuantizerChoice quantizer = parse_quantizer(spec);
    const QuantizedTensor tensor = quantizer.row->quantize(matrix, quantizer.spec);
    const PackedMatrix packed = pack(tensor, quantizer);
    EXPECT_EQ(unpack_words(packed), tensor.words);
    EXPECT_EQ(packed.shape.zeros_at != 0, sv(spec).find("symmetric=false") != sv::npos);
    const EncodedTensor record = encode_tensor(tensor, kUntiled, parse_mode_set({"none"}), parse_coder("rans"));
    EXPECT_EQ(pack_record(record.bytes, quantizer).image, packed.image);
  }
}

TEST(PackIntegers, EveryCodeIsItsValue) {
  for (int value = -127; value <= 127; ++value) {
    const u32 four = Int8Tile::code(value) * 0x01010101u;
    const u32 half = float_to_bf16(static_cast<float>(value));
    for (const u32 word : Int8Tile::decode(four, four, kPair128).words) {
      // −0 stands for 0 nowhere: the code of 0 has no sign.
      EXPECT_EQ(word, half * 0x10001u) << value;
    }
  }
  for (u32 code = 0; code < 16; ++code) {
    for (u32 zero = 0; zero < 16; ++zero) {
      const u32 half = float_to_bf16(static_cast<float>(code) - static_cast<float>(zero));
      const u32 zeros = Int4Tile::zero_pair(zero);
      for (const u32 word : Int4Tile::decode(code * 0x11111111u, zeros, zeros, kPair128).words)
        EXPECT_EQ(word, half * 0x10001u) << code << " - " << zero;
    }
  }
}

TEST(Pack, RefusesWhatItCannotTakeAndSaysWhy) {
  const auto message = [](auto&& call) -> std::string {
    try {
      call();
    } catch (const Error& error) {
      return std::string(to_string(error.kind())) + ": " + error.what();
    }
    return "nothing thrown";
  };
  const std::vector<u16> weights(64);
  EXPECT_EQ(message([&] { pack_bf16_plain(8, 9, weights); }), "usage: a matrix of 8 x 9 has 72 weights, not 64");
  EXPECT_EQ(message([&] { pack_bf16_palette(8, 9, weights); }), "usage: a matrix of 8 x 9 has 72 weights, not 64");
  EXPECT_THAT(message([&] { pack_bf16_palette(1, 65537, weights); }), testing::HasSubstr("65537; split it"));
  EXPECT_THAT(message([&] { pack_bf16_palette(0, 64, {}); }), testing::HasSubstr("unsupported: a product takes 1 to"));

  QuantizedTensor tensor{1, 64, word_format(info(DType::int8)), std::vector<u8>(64), std::vector<u8>(4)};
  EXPECT_THAT(message([&] { pack(tensor, parse_quantizer("int8:axis=column")); }),
              testing::HasSubstr("scales by column"));
  EXPECT_THAT(message([&] { pack(tensor, parse_quantizer("int8:axis=group,group=96")); }),
              testing::HasSubstr("a group must be 64, 128"));
  EXPECT_THAT(message([&] { pack(tensor, parse_quantizer("lossless")); }), testing::HasSubstr("'lossless'"));
  tensor.words[3] = 0x80;
  EXPECT_THAT(message([&] { pack(tensor, parse_quantizer("int8:axis=row")); }), testing::HasSubstr("-128"));
  tensor.words[3] = 0;
  tensor.scales.pop_back();
  EXPECT_THAT(message([&] { pack(tensor, parse_quantizer("int8:axis=row")); }), testing::HasSubstr("have 4 bytes"));
  tensor.words.pop_back();
  EXPECT_THAT(message([&] { pack(tensor, parse_quantizer("int8:axis=row")); }),
              testing::HasSubstr("has 64 weights, not 63"));
  QuantizedTensor codes{1, 64, word_format(info(DType::int4)), std::vector<u8>(64, 9), std::vector<u8>(2)};
  EXPECT_THAT(message([&] { pack(codes, parse_quantizer("int4:group=64")); }), testing::HasSubstr("more than 4 bits"));
}

TEST(PermuteBytes, LooksUpByTheLowThreeBitsOfNibbles) {
  EXPECT_EQ(permute_bytes(0x33221100, 0x77665544, 0x7530), 0x77553300u);
  EXPECT_EQ(permute_bytes(0x33221100, 0x77665544, 0xffff0000), 0x00000000u);
}

}  // namespace
}  // namespace wcodec
