// Every registry row × alphabet × tile shape: reconstruct(residual(x)) == x.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "core/philox.hpp"
#include "predictors/registry.hpp"

namespace wcodec {
namespace {

struct Case {
  const Predictor* row;
  int bits;
  bool is_signed;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const Predictor& row : predictors()) {
    for (const int bits : {1, 3, 4, 5, 8}) {
      for (const bool is_signed : {false, true}) all.push_back({&row, bits, is_signed});
    }
  }
  return all;
}

class EveryPredictor : public ::testing::TestWithParam<Case> {};

TEST_P(EveryPredictor, RoundTripsEveryShape) {
  const auto& [row, bits, is_signed] = GetParam();
  Philox random(7, static_cast<u64>(row->id) * 100 + static_cast<u64>(bits));
  for (const auto& [rows, cols] :
       {std::pair{1, 1}, {1, 16}, {16, 1}, {2, 2}, {16, 16}, {8, 32}, {32, 8}, {7, 13}, {3, 100}, {65, 33}}) {
    for (int option = row->option_low; option <= row->option_high; ++option) {
      const int stride = cols + 5;
      std::vector<u8> matrix(static_cast<std::size_t>(rows * stride), 0xEE);
      for (int r = 0; r < rows; ++r) {
        for (int c = 0; c < cols; ++c)
          matrix[static_cast<std::size_t>(r * stride + c)] = static_cast<u8>(random.below(1u << bits));
      }
      PredictorContext context{.zero = is_signed ? static_cast<u8>(1 << (bits - 1)) : u8{0},
                               .mask = static_cast<u8>((1 << bits) - 1),
                               .option = static_cast<u8>(option)};
      std::vector<u8> params(row->param_bytes(rows, cols, context.option));
      const Tile<const u8> tile{matrix.data(), rows, cols, stride};
      if (row->scope == ParamScope::tile) row->fit_tile(tile, context, params.data());
      if (row->scope == ParamScope::plane) {
        std::vector<u8> plane;
        for (int r = 0; r < rows; ++r) plane.insert(plane.end(), tile.at + r * stride, tile.at + r * stride + cols);
        row->fit_plane(plane.data(), {rows, cols, {rows, cols}}, context, params.data());
      }
      context.params = params.data();
      std::vector<u8> residual(static_cast<std::size_t>(rows * cols));
      row->residual(tile, context, residual.data());
      for (const u8 value : residual) ASSERT_LE(value, context.mask);
      std::vector<u8> back(matrix.size(), 0xEE);
      row->reconstruct({back.data(), rows, cols, stride}, context, residual.data());
      ASSERT_EQ(back, matrix) << row->name << " " << rows << "x" << cols;  // nothing outside the tile is touched either
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Registry, EveryPredictor, ::testing::ValuesIn(cases()), [](const auto& param) {
  std::string name(param.param.row->name);
  std::replace(name.begin(), name.end(), '-', '_');
  return name + "_" + std::to_string(param.param.bits) + (param.param.is_signed ? "s" : "u");
});

// One row a predictor: residuals of the tile {{1, 2, 4}, {3, 7, 6}} with zero = 0, computed by hand from the
// definitions.
struct Known {
  sv name;
  std::vector<int> residual;
};
class KnownResiduals : public ::testing::TestWithParam<Known> {};

TEST_P(KnownResiduals, AreAsDefined) {
  const u8 tile[] = {1, 2, 4, 3, 7, 6};
  const PredictorChoice choice = parse_predictor(GetParam().name);
  PredictorContext context{.option = choice.option};
  std::vector<u8> params(choice.row->param_bytes(2, 3, choice.option));
  if (choice.row->scope == ParamScope::tile) choice.row->fit_tile({tile, 2, 3, 3}, context, params.data());
  context.params = params.data();
  std::vector<u8> residual(6);
  choice.row->residual({tile, 2, 3, 3}, context, residual.data());
  for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(static_cast<i8>(residual[i]), GetParam().residual[i]) << i;
}

INSTANTIATE_TEST_SUITE_P(Definitions, KnownResiduals,
                         ::testing::Values(Known{"none", {1, 2, 4, 3, 7, 6}}, Known{"left", {1, 1, 2, 2, 4, -1}},
                                           Known{"top", {1, 1, 2, 2, 5, 2}}, Known{"avg", {1, 1, 2, 2, 5, 1}},
                                           Known{"planar", {1, 1, 2, 2, 3, -3}}, Known{"med", {1, 1, 2, 2, 4, -1}},
                                           Known{"paeth", {1, 1, 2, 2, 4, -1}}, Known{"row-mean", {-1, 0, 2, -2, 2, 1}},
                                           Known{"col-mean", {-1, -3, -1, 1, 2, 1}}),
                         [](const auto& param) {
                           std::string name(param.param.name);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(LeastSquares, FindsPlantedWeights) {
  // x = 0.6·L + 0.3·T + noise around 128: the fitted Q3.12 weights must come out near 0.6 and 0.3.
  Philox random(3, 1);
  constexpr int kSide = 256;
  std::vector<u8> plane(kSide * kSide, 128);
  const auto at = [&](int r, int c) -> u8& { return plane[static_cast<std::size_t>(r * kSide + c)]; };
  for (int r = 1; r < kSide; ++r) {
    for (int c = 1; c < kSide; ++c) {
      const double x = 0.6 * (at(r, c - 1) - 128) + 0.3 * (at(r - 1, c) - 128) + 8 * random.normal();
      at(r, c) = static_cast<u8>(std::lround(128 + x));
    }
  }
  const PredictorChoice ls = parse_predictor("ls:neighbours=2");
  const PredictorContext context{.zero = 128, .option = 2};
  std::array<u8, 4> params{};
  ls.row->fit_plane(plane.data(), {kSide, kSide, {kSide, kSide}}, context, params.data());
  std::array<i16, 2> weights{};
  std::memcpy(weights.data(), params.data(), 4);
  EXPECT_NEAR(weights[0] / 4096.0, 0.6, 0.02);
  EXPECT_NEAR(weights[1] / 4096.0, 0.3, 0.02);
}

TEST(Registry, NamesAndIdsAreUnique) {
  for (const Predictor& a : predictors()) {
    for (const Predictor& b : predictors()) {
      if (&a != &b) {
        EXPECT_NE(a.name, b.name);
        EXPECT_NE(a.id, b.id);
      }
    }
  }
}

TEST(ModeSet, IsInRegistryOrderWithoutDuplicates) {
  EXPECT_EQ(mode_set_name(parse_mode_set({"top", "none", "left", "top"})), "none+left+top");
  EXPECT_EQ(mode_set_name(parse_mode_set({"ls:neighbours=3", "ls:neighbours=5"})), "ls+ls:neighbours=5");
  EXPECT_THROW(parse_mode_set({}), std::exception);
}

}  // namespace
}  // namespace wcodec
