#include "experiments/independence.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "experiments/planted.hpp"

namespace wcodec {
namespace {

TEST(RankField, ScaleOfRowsAndColumnsIsGone) {
  const std::vector<double> plain = planted_matrix(Planted::correlation, 0, 32, 48, 3, 0);
  std::vector<double> scaled = plain;
  for (i64 r = 0; r < 32; ++r) {
    for (i64 c = 0; c < 48; ++c)
      scaled[static_cast<std::size_t>(r * 48 + c)] *= std::ldexp(1.0, static_cast<int>(r % 7));
  }
  const RankField field = rank_field(scaled, 32, 48, false);
  std::array<std::array<u64, 256>, 16> counts{};
  for (std::size_t i = 0; i < field.levels.size(); ++i) ++counts[field.classes[i]][field.levels[i]];
  for (const auto& in_class : counts) {
    EXPECT_EQ(*std::max_element(in_class.begin(), in_class.end()) - *std::min_element(in_class.begin(), in_class.end()),
              1u)
        << "96 weights on 256 levels";
  }
}

TEST(RankField, ConstantLinesAndWrongShapesAreNoTrap) {
  EXPECT_NO_THROW(rank_field(std::vector<double>(64, 0.0), 8, 8, false));
  EXPECT_NO_THROW(rank_field(std::vector<double>(64, 1.0), 8, 8, true));
  EXPECT_THROW(rank_field(std::vector<double>(63, 1.0), 8, 8, false), Error);
  std::vector<double> bad(64, 1.0);
  bad[5] = std::nan("");
  EXPECT_THROW(rank_field(bad, 8, 8, false), Error);
  EXPECT_THROW(test_field(rank_field(std::vector<double>(4, 1.0), 2, 2, false), 19, 1, "t"), Error);
}

TEST(Dither, TiesOfACoarseTypeArePartedAndNoValueLeavesItsPlace) {
  const std::vector<double> original = {1, 1, 1, -2, -2, 0, 0, 384, 0.5};
  std::vector<double> values = original;
  dither(DType::bf16, values, 1, "t");
  EXPECT_EQ(std::set<double>(values.begin(), values.end()).size(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    // bf16 has seven bits behind the point; a zero may be anything nearer to it than the smallest number, ½.
    const double half = original[i] == 0 ? 0.25 : std::abs(original[i]) / 256;
    EXPECT_LE(std::abs(values[i] - original[i]), half);
    EXPECT_NE(values[i], original[i]);
  }
  std::vector<double> whole = {5, 5, -7};
  dither(DType::int8, whole, 1, "t");
  EXPECT_LE(std::abs(whole[2] + 7), 0.5);
  std::vector<double> again = original;
  dither(DType::bf16, again, 1, "t");
  EXPECT_EQ(again, values);
  dither(DType::bf16, again = original, 1, "another");
  EXPECT_NE(again, values);
}

double bits(Planted kind, double strength, Neighbourhood n) {
  const auto field = rank_field(planted_matrix(kind, strength, 180, 360, 1, 1), 180, 360, false);
  const TestedField tested = test_field(field, 19, 1, "t");
  double null = 0;
  for (const auto& draw : tested.null) null += draw[static_cast<std::size_t>(n)] / 19;
  return tested.observed.bits[static_cast<std::size_t>(n)] - null;
}

TEST(Independence, InformationIsThatOfClosedForms) {
  // −½ log2(1 − ρ²), of which eight bins keep most.
  EXPECT_NEAR(bits(Planted::correlation, 0.5, Neighbourhood::left), -0.5 * std::log2(0.75), 0.035);
  EXPECT_NEAR(bits(Planted::correlation, 0.5, Neighbourhood::top), 0, 0.002);
  const double h = -0.7 * std::log2(0.7) - 0.3 * std::log2(0.3);
  EXPECT_NEAR(bits(Planted::signs, 0.2, Neighbourhood::left), 1 - h, 0.01);
  EXPECT_GT(bits(Planted::copied_rows, 0.3, Neighbourhood::top), 0.2);
  EXPECT_GT(bits(Planted::scale_field, 0.5, Neighbourhood::further), 0.004);
  EXPECT_NEAR(bits(Planted::correlation, 0, Neighbourhood::both), 0, 0.002);
}

TEST(Independence, TheBiasIsThatOfMillerAndMadow) {
  const auto field = rank_field(planted_matrix(Planted::correlation, 0, 100, 200, 1, 2), 100, 200, false);
  const TestedField tested = test_field(field, 49, 1, "t");
  for (const auto& [n, cells] : {std::pair{0, 7.0 * 7}, {1, 7.0 * 7}, {2, 7.0 * 24}, {3, 7.0 * 24}}) {
    double mean = 0;
    for (const auto& draw : tested.null) mean += draw[static_cast<std::size_t>(n)] / 49;
    const double expected =
        cells / (2 * static_cast<double>(tested.observed.pairs[static_cast<std::size_t>(n)]) * M_LN2);
    // Bins of `further` that hardly any weight falls into count less.
    EXPECT_NEAR(mean / expected, 1, n == 3 ? 0.25 : 0.1) << n;
  }
}

TEST(Independence, PermutationsKeepClassesAndRepeatBySeed) {
  const auto field = rank_field(planted_matrix(Planted::signs, 0.1, 40, 50, 1, 1), 40, 50, false);
  const TestedField a = test_field(field, 19, 1, "t"), b = test_field(field, 19, 1, "t"),
                    c = test_field(field, 19, 2, "t");
  EXPECT_EQ(a.null, b.null);
  EXPECT_NE(a.null, c.null);
}

TestedTensor made(double first, double of_null) {
  TestedTensor out;
  out.name = "t";
  out.rows = out.cols = 10;
  for (TestedField* field : {&out.with_means, &out.without_means}) {
    field->observed.bits = {first, 0, 0, 0};
    field->observed.pairs = {90, 90, 81, 56};
    for (int k = 0; k < 99; ++k) field->null.push_back({of_null + 0.001 * k, 1, 1, 1});
  }
  return out;
}

TEST(Independence, PIsTheShareOfDrawsAndHolmCountsAllTests) {
  const std::vector<TestedTensor> tensors = {made(5, 0), made(0.0495, 0)};
  const std::vector<DependenceRow> rows = dependence_rows("c", tensors);
  ASSERT_EQ(rows.size(), 2u * (2 + 1) * kNeighbourhoods);
  EXPECT_DOUBLE_EQ(rows[0].p, 0.01);
  EXPECT_DOUBLE_EQ(rows[0].p_holm, 0.08) << "the smallest of eight";
  EXPECT_NEAR(rows[0].null_mean, 0.049, 1e-12);
  EXPECT_NEAR(rows[0].bits, 5 - 0.049, 1e-12);
  EXPECT_DOUBLE_EQ(rows[4].p, 0.5) << "49 of 99 draws reach it";
  EXPECT_EQ(rows[4].p_holm, 1);
  EXPECT_EQ(rows[8].tensor, "all");
  EXPECT_NEAR(rows[8].plug_in, (5 + 0.0495) / 2, 1e-12);
  EXPECT_DOUBLE_EQ(rows[8].p_holm, 0.04) << "the smallest of four";
}

TEST(Planted, ALevelThatPermutationsCannotReachIsRefused) {
  PowerOptions options;
  options.permutations = 99;
  EXPECT_THROW(smallest_found(options), Error);
}

TEST(Planted, TheSearchFindsASmallestStrengthAndChanceStaysRare) {
  PowerOptions options;
  options.rows = 40;
  options.cols = 80;
  options.permutations = 99;
  options.replicates = 20;
  options.level = 0.0125;
  const std::vector<PowerRow> rows = smallest_found(options);
  ASSERT_EQ(rows.size(), kPlantedKinds);
  for (const PowerRow& row : rows) {
    EXPECT_GE(row.found, options.power);
    EXPECT_GT(row.strength, 0.01);
    EXPECT_GT(row.bits, 0);
    EXPECT_LE(row.false_alarms, 0.25);
  }
  EXPECT_EQ(rows[0].best, Neighbourhood::left);
  EXPECT_EQ(rows[1].best, Neighbourhood::top);
  EXPECT_NEAR(rows[0].bits / rows[0].true_bits, 1, 0.35);
}

}  // namespace
}  // namespace wcodec
