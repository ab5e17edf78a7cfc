// One frequency table a model against one a tensor: figures worked out by hand, and what is left out.
#include "experiments/tables_model.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <cstdlib>

namespace wcodec {
namespace {

DiagnosticsRow row(const std::string& tensor, std::vector<std::pair<int, u64>> counts,
                   const std::string& control = "original") {
  u64 weights = 0;
  for (const auto& [value, count] : counts) weights += count;
  Diagnostics diagnostics;
  diagnostics.control = control;
  diagnostics.quantizer = "int8:axis=row";
  diagnostics.histograms.push_back({"symbols", "none", std::move(counts)});
  return {"model", tensor, "mlp.up", weights, "16x16", std::move(diagnostics)};
}

double cell(const Table& table, std::size_t column) {
  return std::strtod(table.rows.at(0).at(column).c_str(), nullptr);
}

TEST(ModelTables, TensorsOfOneDistributionSaveTheirTables) {
  std::vector<std::pair<int, u64>> counts;
  for (int value = -100; value <= 100; ++value) {
    counts.emplace_back(value, static_cast<u64>(1 + 4000 * std::exp(-value * value / 1800.0)));
  }
  const std::vector<DiagnosticsRow> rows{row("a", counts), row("b", counts), row("c", counts)};
  const auto table = model_tables(rows);
  ASSERT_TRUE(table);
  EXPECT_EQ(table->rows.at(0).at(3), "3");
  EXPECT_NEAR(cell(*table, 4), cell(*table, 6), 1e-3) << "the same symbols, the same payload";
  EXPECT_NEAR(cell(*table, 7), cell(*table, 5) / 3, 5e-4) << "one table instead of three";
  EXPECT_LT(cell(*table, 8), 0);
}

TEST(ModelTables, TensorsThatDifferPayForASharedTable) {
  // 1 bit each with tables of their own; two bits with one for both.
  const std::vector<DiagnosticsRow> rows{row("a", {{-4, 50'000}, {-3, 50'000}}), row("b", {{2, 50'000}, {3, 50'000}})};
  const auto table = model_tables(rows);
  ASSERT_TRUE(table);
  EXPECT_NEAR(cell(*table, 4), 1, 1e-4);
  EXPECT_NEAR(cell(*table, 6), 2, 1e-4);
  EXPECT_NEAR(cell(*table, 8), 1, 2e-3);
}

TEST(ModelTables, HugeCountsAreScaledAndOneThatOccursStays) {
  const std::vector<DiagnosticsRow> rows{row("a", {{0, u64{3} << 30}, {1, u64{3} << 30}}),
                                         row("b", {{0, u64{3} << 30}, {5, 1}})};
  const auto table = model_tables(rows);
  ASSERT_TRUE(table);
  EXPECT_GT(cell(*table, 6), 0.9);
  EXPECT_LT(cell(*table, 6), 1.1);
}

TEST(ModelTables, NeedTwoTensorsOfOneModelAndOriginalWeights) {
  EXPECT_FALSE(model_tables({}));
  EXPECT_FALSE(model_tables(std::vector<DiagnosticsRow>{row("a", {{0, 5}})}));
  EXPECT_FALSE(
      model_tables(std::vector<DiagnosticsRow>{row("a", {{0, 5}}, "shuffled"), row("b", {{0, 5}}, "shuffled")}));
}

}  // namespace
}  // namespace wcodec
