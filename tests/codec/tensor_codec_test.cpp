// The whole table: every predictor × coder × tile × dtype round-trips through the record, and hostile records are
// refused.
#include <gtest/gtest.h>

#include <cstring>

#include "codec/stages.hpp"
#include "codec/tensor_codec.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/philox.hpp"
#include "entropy/log2_cost.hpp"
#include "quantizers/registry.hpp"

namespace wcodec {
namespace {

QuantizedTensor random_tensor(DType dtype, i64 rows, i64 cols, u64 seed) {
  const DTypeInfo& d = info(dtype);
  QuantizedTensor out{
      rows, cols, word_format(d), std::vector<u8>(static_cast<std::size_t>(rows * cols * d.memory_bytes)), {}};
  Philox random(seed, static_cast<u64>(dtype));
  for (std::size_t i = 0; i < out.weights(); ++i) {
    u64 word = 0;
    if (dtype == DType::bf16 || dtype == DType::f32) {
      word = std::bit_cast<u32>(static_cast<float>(0.02 * random.normal()));
      if (dtype == DType::bf16) word >>= 16;
    } else if (d.bits < 8) {
      word = static_cast<u64>(static_cast<i64>(random.below(1u << d.bits)) -
                              (d.number == NumberClass::signed_int ? i64{1} << (d.bits - 1) : 0));
    } else {
      word = static_cast<u64>(static_cast<i64>(random.normal() * 20));
      if (d.number == NumberClass::unsigned_int) word &= 0xff;
    }
    std::memcpy(out.words.data() + i * static_cast<std::size_t>(d.memory_bytes), &word,
                static_cast<std::size_t>(d.memory_bytes));
  }
  if (d.bits <= 8) out.scales.assign(static_cast<std::size_t>(rows) * 4, 0x3c);
  return out;
}

void expect_round_trip(const QuantizedTensor& tensor, TileShape shape, const std::vector<std::string>& modes,
                       const char* coder) {
  const auto set = parse_mode_set(modes);
  const EncodedTensor encoded = encode_tensor(tensor, shape, set, parse_coder(coder));
  ASSERT_EQ(encoded.ledger.total(), encoded.bytes.size());
  ASSERT_EQ(encoded.ledger[LedgerEntry::scale], tensor.scales.size());
  const QuantizedTensor back = decode_tensor(encoded.bytes);
  ASSERT_EQ(back.words, tensor.words) << mode_set_name(set) << " " << to_string(shape) << " " << coder;
  ASSERT_EQ(back.scales, tensor.scales);
  ASSERT_EQ(back.format, tensor.format);
}

constexpr const char* kCoders[] = {"raw",
                                   "rans",
                                   "rans:tables=tile",
                                   "rans:tables=row-scale,contexts=8",
                                   "rans:tables=col-scale,contexts=8",
                                   "rans:tables=row-col-scale,contexts=64"};

class EveryDType : public ::testing::TestWithParam<int> {};

TEST_P(EveryDType, RoundTripsEveryPredictorCoderAndTile) {
  const auto dtype = static_cast<DType>(GetParam());
  std::vector<std::string> all;
  for (const Predictor& row : predictors()) all.emplace_back(row.name);
  const QuantizedTensor tensor = random_tensor(dtype, 37, 53, 1);
  for (const char* coder : kCoders) {
    for (const std::string& one : all) expect_round_trip(tensor, {16, 16}, {one}, coder);
    for (const TileShape shape : {TileShape{16, 16}, {8, 32}, {32, 8}, {1, 1}, {64, 64}, {5, 7}})
      expect_round_trip(tensor, shape, all, coder);
  }
}

TEST_P(EveryDType, RoundTripsOddShapes) {
  for (const auto& [rows, cols] : {std::pair{0, 0}, {0, 5}, {5, 0}, {1, 1}, {1, 97}, {97, 1}, {13, 17}, {128, 128}}) {
    expect_round_trip(random_tensor(static_cast<DType>(GetParam()), rows, cols, 2), {16, 16},
                      {"none", "left", "row-mean", "ls"}, "rans:tables=row-col-scale");
  }
}

INSTANTIATE_TEST_SUITE_P(DTypes, EveryDType, ::testing::Range(0, 23),
                         [](const auto& p) { return std::string(wcodec::info(static_cast<DType>(p.param)).name); });

TEST(Record, KeepsNanPayloadsMinusZeroAndSubnormals) {
  QuantizedTensor tensor{1, 6, word_format(info(DType::f32)), {}, {}};
  for (const u32 word : {0x7fc12345u, 0xffc00001u, 0x7f800001u, 0x80000000u, 0x00000001u, 0xff800000u}) {
    for (int b = 0; b < 4; ++b) tensor.words.push_back(static_cast<u8>(word >> (8 * b)));
  }
  expect_round_trip(tensor, {16, 16}, {"none", "planar"}, "rans");
}

TEST(ModeChoice, FindsPlantedStructureAndTiesGoToNone) {
  // Left half: columns repeat their left neighbour. Right half: noise (peaked, or the table of `none` would price all
  // residuals alike).
  QuantizedTensor tensor{64, 64, word_format(info(DType::int8)), std::vector<u8>(64 * 64), {}};
  Philox random(4, 4);
  for (std::size_t r = 0; r < 64; ++r) {
    for (std::size_t c = 0; c < 64; ++c)
      tensor.words[r * 64 + c] =
          c < 32 && c % 16 ? tensor.words[r * 64 + c - 1] : static_cast<u8>(static_cast<int>(20 * random.normal()));
  }
  const auto planes = split_planes(tensor);
  PlanePredictions predictions(planes[0], {64, 64, {16, 16}});
  const auto modes = parse_mode_set({"none", "left", "top"});
  const ModeChoice choice = predictions.choose(modes);
  for (std::size_t t = 0; t < 16; ++t) EXPECT_EQ(choice.mode_of_tile[t], t % 4 < 2 ? 1 : 0) << t;
  EXPECT_EQ(choice.tiles_with(1), 8u);
  // A constant plane: every predictor costs the same but for the corner, `none` among them after zero itself.
  std::fill(tensor.words.begin(), tensor.words.end(), u8{0});
  const auto constant = split_planes(tensor);
  EXPECT_EQ(PlanePredictions(constant[0], {64, 64, {16, 16}}).choose(modes).tiles_with(0), 16u);
}

TEST(ModeChoice, IsAsCheapAsTheRuleSays) {
  // The chosen residuals' entropy cannot be far above that of `none`: choosing is only ever by cost.
  const QuantizedTensor tensor = random_tensor(DType::int8, 128, 128, 9);
  const auto planes = split_planes(tensor);
  PlanePredictions predictions(planes[0], {128, 128, {16, 16}});
  const ModeChoice choice = predictions.choose(parse_mode_set({"none", "left", "top", "avg", "planar"}));
  EXPECT_LE(entropy_bits(choice.residual_counts), entropy_bits(predictions.counts(parse_predictor("none"))) * 1.0005);
}

class HostileRecord : public ::testing::Test {
 protected:
  std::vector<u8> good_ =
      encode_tensor(random_tensor(DType::int8, 24, 24, 3), {8, 8}, parse_mode_set({"none", "left", "col-mean", "ls"}),
                    parse_coder("rans:tables=row-scale"))
          .bytes;
  // Recomputes the checksum, so that what is behind it is tested.
  static std::vector<u8> sealed(std::vector<u8> bytes) {
    const u32 crc = crc32(Bytes(bytes).first(bytes.size() - 4));
    std::memcpy(bytes.data() + bytes.size() - 4, &crc, 4);
    return bytes;
  }
  static ErrorKind kind_of(const std::vector<u8>& bytes, u64 limit = kDefaultWeightLimit) {
    try {
      decode_tensor(bytes, limit);
    } catch (const Error& error) {
      return error.kind();
    }
    return ErrorKind::internal;
  }
};

TEST_F(HostileRecord, AFewBytesMayNotAskForMuchUnlessTheCallerAgrees) {
  const QuantizedTensor zeros{1, 1, word_format(info(DType::int8)), {0}, {}};
  std::vector<u8> bytes = encode_tensor(zeros, kUntiled, parse_mode_set({"none"}), parse_coder("prefix")).bytes;
  constexpr std::size_t kRows = 10;  // behind magic, version and format
  ASSERT_EQ(bytes[kRows], 1);
  bytes[kRows] = 0x80;
  bytes.insert(bytes.begin() + kRows + 1, {0x80, 0x80, 0x40});  // 2^27
  // A constant plane has as many symbols as there are.
  bytes = sealed(bytes);
  try {
    decode_tensor(bytes);
    ADD_FAILURE() << "2^27 weights in " << bytes.size() << " bytes";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::limit) << error.what();
  }
  EXPECT_EQ(decode_tensor(bytes, u64{1} << 27).words, std::vector<u8>(std::size_t{1} << 27));
  EXPECT_EQ(default_weight_limit(100), u64{1} << 26);
  EXPECT_EQ(default_weight_limit(u64{1} << 20), u64{1} << 32);
  EXPECT_EQ(default_weight_limit(~u64{0}), u64{1} << 34);
}

TEST_F(HostileRecord, EveryTruncationIsRefused) {
  for (std::size_t size = 0; size < good_.size(); ++size) {
    EXPECT_THROW(decode_tensor(Bytes(good_).first(size)), Error) << size;
  }
}

TEST_F(HostileRecord, EveryBitFlipIsRefused) {
  for (std::size_t bit = 0; bit < good_.size() * 8; ++bit) {
    std::vector<u8> flipped = good_;
    flipped[bit / 8] ^= static_cast<u8>(1 << bit % 8);
    EXPECT_THROW(decode_tensor(flipped), Error) << bit;
  }
}

TEST_F(HostileRecord, FlipsBehindARepairedChecksumNeverCrash) {
  for (std::size_t bit = 0; bit < (good_.size() - 4) * 8; ++bit) {
    std::vector<u8> flipped = good_;
    flipped[bit / 8] ^= static_cast<u8>(1 << bit % 8);
    try {
      decode_tensor(sealed(flipped), u64{1} << 20);
    } catch (const Error&) {
    }
  }
}

TEST_F(HostileRecord, NamesWhatIsWrong) {
  auto edited = good_;
  edited[0] ^= 1;
  EXPECT_EQ(kind_of(sealed(edited)), ErrorKind::corrupt);
  edited = good_;
  edited[4] = 9;
  EXPECT_EQ(kind_of(sealed(edited)), ErrorKind::unsupported);
  EXPECT_EQ(kind_of(good_, 100), ErrorKind::limit);
  edited = good_;
  edited.insert(edited.end() - 4, u8{0});
  EXPECT_EQ(kind_of(sealed(edited)), ErrorKind::corrupt);
}

TEST(Stages, CanonicalNames) {
  EXPECT_EQ(canonical_tile("wide"), "8x32");
  EXPECT_EQ(canonical_tile("7x9"), "7x9");
  EXPECT_THROW(canonical_tile("0x9"), Error);
  EXPECT_THROW(canonical_tile("16"), Error);
  EXPECT_EQ(canonical_modes({"planar", "none"}), "none+planar");
  EXPECT_EQ(split_modes("none+ls:neighbours=4"), (std::vector<std::string>{"none", "ls:neighbours=4"}));
  EXPECT_GE(list_stages().size(), 16u);
}

}  // namespace
}  // namespace wcodec
