// The peers as rows of the registry; their packages where they are installed.
#include <gmock/gmock.h>

#include "baselines/registry.hpp"
#include "core/error.hpp"
#include "tests/baselines/inputs.hpp"

namespace wcodec {
namespace {

using ::testing::HasSubstr;

PreparedBaseline peer(const std::string& spec, DType dtype, i64 rows, i64 cols) {
  PreparedBaseline baseline = BaselineRegistry().prepare(spec);
  baseline.options.array = {dtype, rows, cols};
  return baseline;
}

// Weights with a spread, as bits of `dtype`: what the low bits are does not matter.
std::vector<u8> weights(DType dtype, std::size_t count) {
  const auto width = static_cast<std::size_t>(info(dtype).memory_bytes);
  std::vector<u8> bytes(count * width);
  Philox random(7, 2);
  for (std::size_t i = 0; i < count; ++i) {
    const auto value = static_cast<float>(0.02 * random.normal());
    u32 bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    if (dtype == DType::bf16) bits >>= 16;
    if (dtype == DType::f16) bits = 0x2c00 | (bits & 0x83ff);  // an exponent of that size
    if (width == 1) bits = static_cast<u32>(std::clamp(std::lround(36 * random.normal()), -127L, 127L));
    std::memcpy(bytes.data() + i * width, &bits, width);
  }
  return bytes;
}

TEST(Peers, SpecsAreCanonical) {
  const BaselineRegistry registry;
  EXPECT_EQ(registry.prepare("pcodec").spec, "pcodec:level=8");
  EXPECT_EQ(registry.prepare("openzl:graph=typed").spec, "openzl:level=6");
  EXPECT_EQ(registry.prepare("z4ai:search=true,timeout=600").spec, "z4ai");
  EXPECT_EQ(registry.prepare("constriction:coder=range").spec, "constriction:coder=range");
}

TEST(Peers, OptionsOutOfRangeAreErrors) {
  const BaselineRegistry registry;
  for (const char* spec : {"pcodec:level=13", "openzl:level=0", "openzl:graph=best", "zipnn:method=lz4",
                           "z4ai:search=maybe", "constriction:coder=huffman", "zfp:level=1", "fpzip:timeout=0"}) {
    EXPECT_THROW(registry.prepare(spec), Error) << spec;
  }
}

TEST(Peers, TheIdentityHasThePackagesVersionOrItsAbsence) {
  const BaselineRegistry registry;
  for (const Baseline* row : registry.rows()) {
    if (!row->takes_arrays) continue;
    const bool absent = registry.prepare(row->name).identity.find(" absent)") != std::string::npos;
    EXPECT_EQ(absent, !why_unavailable(*row).empty()) << row->name;
    if (absent) {
      EXPECT_THAT(why_unavailable(*row), HasSubstr("docs/peers.md"));
    }
  }
}

struct Case {
  const char* spec;
  std::vector<DType> takes, refuses;
};

const std::vector<DType> kFloats = {DType::bf16, DType::f16, DType::f32};
const std::vector<DType> kAll = {DType::int8, DType::uint8, DType::bf16, DType::f16, DType::f32};
const Case kCases[] = {
    {"zipnn", kFloats, {DType::int8, DType::uint8}},
    {"openzl", kAll, {}},
    {"openzl:graph=generic,level=1", kAll, {}},
    {"pcodec", kAll, {}},
    {"pcodec:level=12", kAll, {}},
    {"z4ai", kAll, {}},
    {"z4ai:search=false", kAll, {}},
    {"nncodec", {DType::int8, DType::uint8}, {DType::bf16, DType::f16, DType::f32}},
    {"constriction", kAll, {}},
    {"constriction:coder=range", kAll, {}},
    {"zfp", kAll, {DType::uint16}},
    {"fpzip", kFloats, {DType::int8, DType::uint8}},
};

class Peer : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    const PreparedBaseline baseline = BaselineRegistry().prepare(GetParam().spec);
    if (const std::string why = why_unavailable(*baseline.row); !why.empty()) GTEST_SKIP() << "peers: " << why;
  }
};

TEST_P(Peer, GivesEveryBitBack) {
  for (const DType dtype : GetParam().takes) {
    for (const auto& [rows, cols] : {std::pair<i64, i64>{1, 1}, {7, 13}, {64, 300}}) {
      const PreparedBaseline baseline = peer(GetParam().spec, dtype, rows, cols);
      const std::vector<u8> in = weights(dtype, static_cast<std::size_t>(rows * cols));
      std::vector<u8> coded(baseline.bound(in.size())), back(in.size());
      Failure why;
      const auto size = baseline.compress(in, coded, why);
      ASSERT_TRUE(size.has_value()) << info(dtype).name << ": " << why.text();
      EXPECT_GT(baseline.row->own_seconds(), 0);
      ASSERT_TRUE(baseline.decompress(Bytes(coded).first(*size), back, why)) << info(dtype).name << ": " << why.text();
      EXPECT_GT(baseline.row->own_seconds(), 0);
      EXPECT_EQ(back, in) << info(dtype).name;
    }
  }
}

TEST_P(Peer, RefusesInASentence) {
  for (const DType dtype : GetParam().refuses) {
    const PreparedBaseline baseline = peer(GetParam().spec, dtype, 2, 8);
    const std::vector<u8> in(16 * static_cast<std::size_t>(info(dtype).memory_bytes), 1);
    std::vector<u8> coded(baseline.bound(in.size()));
    Failure why;
    EXPECT_FALSE(baseline.compress(in, coded, why).has_value());
    EXPECT_THAT(std::string(why.text()), HasSubstr("not arrays of type " + std::string(info(dtype).name)));
  }
}

// A matrix that the bytes are not is the caller's mistake, and none of the peer's.
TEST_P(Peer, ShapesThatDoNotFitAreRefused) {
  const PreparedBaseline baseline = peer(GetParam().spec, DType::int8, 3, 5);
  const std::vector<u8> in(16, 1);
  std::vector<u8> coded(baseline.bound(in.size()));
  Failure why;
  EXPECT_FALSE(baseline.compress(in, coded, why).has_value());
  EXPECT_THAT(std::string(why.text()), HasSubstr("16 bytes are not 3 × 5 elements of type I8"));
}

TEST_P(Peer, DamagedStreamsNeverEscape) {
  const DType dtype = GetParam().takes.front();
  const PreparedBaseline baseline = peer(GetParam().spec, dtype, 8, 16);
  const std::vector<u8> in = weights(dtype, 128);
  std::vector<u8> coded(baseline.bound(in.size()));
  Failure why;
  const auto size = baseline.compress(in, coded, why);
  ASSERT_TRUE(size.has_value()) << why.text();
  coded.resize(*size / 2);
  std::vector<u8> back(in.size() + 64, 0xa5);
  const bool accepted = baseline.decompress(coded, MutBytes(back).first(in.size()), why);
  EXPECT_TRUE(!accepted || !std::equal(in.begin(), in.end(), back.begin()));  // accepted or not: never the weights
  EXPECT_TRUE(std::all_of(back.end() - 64, back.end(), [](u8 byte) { return byte == 0xa5; }));
}

INSTANTIATE_TEST_SUITE_P(Peers, Peer, testing::ValuesIn(kCases), [](const auto& test) {
  std::string name(test.param.spec);
  for (char& letter : name) letter = std::isalnum(static_cast<unsigned char>(letter)) != 0 ? letter : '_';
  return name;
});

TEST(PeersTable, CoversTheRegistry) {
  const BaselineRegistry registry;
  for (const Baseline* row : registry.rows()) {
    if (!row->takes_arrays) continue;
    EXPECT_TRUE(std::any_of(std::begin(kCases), std::end(kCases), [&](const Case& c) {
      return sv(c.spec).substr(0, sv(c.spec).find(':')) == row->name;
    })) << row->name;
  }
}

}  // namespace
}  // namespace wcodec
