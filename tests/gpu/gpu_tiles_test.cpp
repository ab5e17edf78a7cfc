// Tiled, predicted and transformed records on the GPU: every predictor, transform, tile shape and type as on the CPU,
// and damage is refused as it is there.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "tests/gpu/same_verdict.hpp"

namespace wcodec {
namespace {

class GpuTilesTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = why_no_gpu(); !why.empty()) GTEST_SKIP() << "GPU tests need a GPU: " << why;
  }
};

// Patches that suit different predictors and transforms: noise, walks along rows and down columns, a ramp, waves. The
// top eight bits of a word follow the pattern, the others are noise.
QuantizedTensor patchwork(DType dtype, i64 rows, i64 cols, u64 seed) {
  const DTypeInfo& d = info(dtype);
  const auto size = static_cast<std::size_t>(d.memory_bytes);
  QuantizedTensor out{rows, cols, word_format(d), {}, {1, 2, 3}};
  out.words.resize(out.weights() * size);
  Philox random(seed, static_cast<u64>(dtype));
  std::vector<int> top(static_cast<std::size_t>(rows * cols));
  for (i64 r = 0; r < rows; ++r) {
    for (i64 c = 0; c < cols; ++c) {
      const auto at = static_cast<std::size_t>(r * cols + c);
      const int left = c > 0 ? top[at - 1] : 128, above = r > 0 ? top[at - static_cast<std::size_t>(cols)] : 128;
      const int step = static_cast<int>(random.below(5)) - 2;
      const double wave = 100 * std::sin(0.3 * static_cast<double>(r)) * std::cos(0.2 * static_cast<double>(c));
      const int values[] = {static_cast<int>(random.below(256)),
                            left + step,
                            above + step,
                            static_cast<int>(3 * r + 5 * c) + step / 2,
                            128 + static_cast<int>(wave),
                            (left + above) / 2};
      top[at] = values[(r / 24 + c / 40) % 6] & 255;
      const u64 noise = random.next64();
      u64 word = d.bits >= 8 ? static_cast<u64>(top[at]) << (d.bits - 8) | (noise & ((u64{1} << (d.bits - 8)) - 1))
                             : static_cast<u64>(top[at]) >> (8 - d.bits);
      if (d.number == NumberClass::signed_int && d.bits < 8 * d.memory_bytes && (word >> (d.bits - 1) & 1))
        word |= ~u64{0} << d.bits;
      std::memcpy(out.words.data() + at * size, &word, size);
    }
  }
  return out;
}

struct Stages {
  std::vector<std::string> modes;
  TileShape tile;
  std::string transform, coder;

  std::string name() const {
    return mode_set_name(parse_mode_set(modes)) + " " + to_string(tile) + " " + transform + " " + coder;
  }
  std::vector<u8> encode(const QuantizedTensor& tensor) const {
    return encode_tensor(tensor, tile, parse_mode_set(modes), parse_coder(coder), parse_transform_set(transform)).bytes;
  }
};

void expect_same(const QuantizedTensor& tensor, const Stages& stages) {
  const std::vector<u8> record = stages.encode(tensor);
  ASSERT_EQ(decode_tensor(record).words, tensor.words) << stages.name();
  const GpuPlan plan = plan_gpu_decode(record);
  const bool is_plain = stages.tile.rows == 1 && stages.modes == std::vector<std::string>{"none"} &&
                        stages.transform == "identity";  // and needs no tiles
  ASSERT_EQ(plan.tiles.size(), is_plain ? 0 : plan.streams.size()) << stages.name();
  EXPECT_EQ(plan.scales, tensor.scales);
  const std::vector<u8> words = decode_on_gpu(plan);
  ASSERT_EQ(words.size(), tensor.words.size());
  for (std::size_t i = 0; i < words.size(); ++i) {
    ASSERT_EQ(words[i], tensor.words[i]) << stages.name() << ", " << tensor.rows << " x " << tensor.cols << " words of "
                                         << tensor.format.bits << " bits, byte " << i;
  }
}

const std::vector<std::vector<std::string>>& mode_sets() {
  static const std::vector<std::vector<std::string>> all = [] {
    std::vector<std::vector<std::string>> sets;
    std::vector<std::string> everything;
    for (const Predictor& row : predictors()) {
      sets.push_back({std::string(row.name)});
      everything.emplace_back(row.name);
    }
    for (int neighbours = LeastSquares::row().option_low; neighbours <= LeastSquares::kMaxNeighbours; ++neighbours)
      sets.push_back({"ls:neighbours=" + std::to_string(neighbours)});
    sets.push_back(everything);
    sets.push_back({"none", "left", "top", "avg", "planar"});
    return sets;
  }();
  return all;
}

std::vector<std::string> transform_names() {
  std::vector<std::string> names{std::string(kProbe)};
  for (const Transform& row : transforms()) names.emplace_back(row.name);
  return names;
}

// Small ones in shared memory, in groups of every size, and large ones; whole, cut at the edges, larger than the
// matrix.
constexpr TileShape kShapes[] = {{16, 16}, {8, 32},   {32, 8},   {64, 64}, {1, 64},  {64, 1},   {2, 48},
                                 {5, 7},   {20, 12},  {33, 4},   {40, 64}, {65, 16}, {16, 65},  {100, 70},
                                 {1, 1},   {1, 4096}, {4096, 3}, {9, 16},  {24, 40}, {128, 256}};

TEST_F(GpuTilesTest, EveryPredictorInEveryShapeOfTile) {
  const QuantizedTensor tensor = patchwork(DType::int8, 83, 131, 1), even = patchwork(DType::int8, 96, 160, 2);
  for (const auto& modes : mode_sets()) {
    for (const TileShape shape : kShapes) {
      expect_same(tensor, {modes, shape, "identity", "raw"});
      expect_same(even, {modes, shape, "identity", "prefix"});
      if (HasFatalFailure()) return;
    }
  }
}

TEST_F(GpuTilesTest, EveryTransformUnderPredictionInEveryShapeOfTile) {
  for (const DType dtype : {DType::int8, DType::int4}) {
    const QuantizedTensor tensor = patchwork(dtype, 83, 131, 3), even = patchwork(dtype, 96, 160, 4);
    for (const std::string& transform : transform_names()) {
      for (const TileShape shape : kShapes) {
        expect_same(tensor, {{"none", "left", "top", "avg", "planar"}, shape, transform, "rans:precision=12"});
        expect_same(even, {{"none"}, shape, transform, "prefix:low=2"});
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_F(GpuTilesTest, EveryType) {
  for (const DType dtype : {DType::uint8, DType::int8, DType::int16, DType::int32, DType::int64, DType::uint16,
                            DType::f16, DType::bf16, DType::f32, DType::f64, DType::int4, DType::uint4, DType::int6,
                            DType::uint5, DType::f8_e4m3, DType::f8_e5m2, DType::f8_e8m0}) {
    SCOPED_TRACE(info(dtype).name);
    const QuantizedTensor tensor = patchwork(dtype, 61, 112, 5);
    for (const char* coder : {"raw", "prefix", "rans"}) {
      expect_same(tensor, {mode_sets().back(), {16, 16}, "probe", coder});
      expect_same(tensor, {{"med", "row-mean"}, {100, 50}, "dct8", coder});
      if (HasFatalFailure()) return;
    }
  }
}

TEST_F(GpuTilesTest, EveryShapeOfMatrix) {
  for (const auto& [rows, cols] : {std::pair{0, 7}, {3, 0}, {1, 1}, {1, 700}, {700, 1}, {8, 8}, {15, 17}, {257, 255}}) {
    const QuantizedTensor tensor = patchwork(DType::int8, rows, cols, 6);
    for (const TileShape shape : {TileShape{16, 16}, {64, 64}, {128, 128}})
      expect_same(tensor, {mode_sets().back(), shape, "probe", "prefix:low=4"});
  }
}

TEST_F(GpuTilesTest, ManyTilesWithEscapes) {
  const QuantizedTensor tensor = patchwork(DType::int8, 2048, 1040, 7);
  for (const char* transform : {"identity", "dct8", "adst8", "probe"})
    expect_same(tensor, {{"none", "left", "top", "avg", "planar"}, {16, 16}, transform, "prefix:low=2"});
}

TEST_F(GpuTilesTest, DamagedRecordsAreRefusedAsOnTheCpu) {
  const char* const cases = std::getenv("WCODEC_GPU_DAMAGED");
  const int count = cases != nullptr ? std::atoi(cases) : 2000;
  const std::pair<DType, Stages> samples[] = {
      {DType::int8, {mode_sets().back(), {16, 16}, "probe", "prefix:low=4,chunk=2048"}},
      {DType::int8, {{"none", "med", "row-mean", "ls"}, {20, 12}, "dct8", "rans:precision=12,chunk=1024"}},
      {DType::int4, {{"paeth"}, {64, 64}, "adst8", "raw"}},
      {DType::bf16, {{"left", "col-mean"}, {8, 32}, "probe", "prefix"}},
      {DType::int8, {{"none", "planar"}, {128, 96}, "probe", "rans"}}};
  Verdicts verdicts;
  for (std::size_t s = 0; s < std::size(samples); ++s) {
    const std::vector<u8> good = samples[s].second.encode(patchwork(samples[s].first, 48, 200, s));
    Philox random(s, 78);
    for (int i = 0; i < count / static_cast<int>(std::size(samples)); ++i) {
      SCOPED_TRACE(samples[s].second.name() + ", case " + std::to_string(i));
      verdicts.compare(damaged(good, 16, random));
      if (HasFatalFailure()) return;
    }
  }
  EXPECT_GT(verdicts.refused, count / 8);
  EXPECT_GT(verdicts.decoded, count / 8);
  RecordProperty("refused", verdicts.refused);
  RecordProperty("decoded", verdicts.decoded);
}

}  // namespace
}  // namespace wcodec
