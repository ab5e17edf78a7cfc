#include "experiments/tables_results.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <map>

#include "experiments/csv.hpp"
#include "experiments/tables_totals.hpp"

namespace wcodec {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// `weights` one-byte symbols with 10 bytes of scales, coded in `coded` bytes of which 10 are scales and 5 tables.
SummaryRow row(const std::string& tensor, u64 weights, u64 coded, const std::string& modes,
               const std::string& control = "original") {
  SummaryRow out;
  out.checkpoint = out.family = "m";
  out.tensor = tensor;
  out.kind = tensor == "big" ? "embedding" : "mlp.up";
  out.control = control;
  out.quantizer = "int8";
  out.tile = "16x16";
  out.modes = modes;
  out.coder = "rans";
  out.weights = weights;
  out.original_bytes = weights + 10;
  out.original_scale_bytes = 10;
  out.coded_bytes = coded;
  out.ledger[LedgerEntry::scale] = 10;
  out.ledger[LedgerEntry::table] = 5;
  out.ledger[LedgerEntry::payload] = coded - 15;
  out.h0_bpw = tensor == "big" ? 6 : 4;
  out.gm_bpw = 4;
  return out;
}

SummaryRow baseline(const std::string& tensor, u64 weights, u64 coded, const std::string& coder) {
  SummaryRow out = row(tensor, weights, coded, "");
  out.tile = "";
  out.coder = coder;
  out.role = "baseline";
  return out;
}

std::vector<SummaryRow> rows() {
  return {row("big", 3000, 2000, "none"),
          row("small", 1000, 500, "none"),
          row("big", 3000, 1900, "none+left"),
          row("small", 1000, 520, "none+left"),
          row("big", 3000, 2010, "none", "shuffled"),
          row("small", 1000, 510, "none", "shuffled"),
          row("big", 3000, 2015, "none+left", "shuffled"),
          row("small", 1000, 515, "none+left", "shuffled"),
          baseline("big", 3000, 2200, "zstd:level=3"),
          baseline("small", 1000, 600, "zstd:level=3"),
          baseline("big", 3000, 2100, "zstd:level=19"),
          baseline("small", 1000, 580, "zstd:level=19")};
}

// A table's cells by column heading.
std::vector<std::map<std::string, std::string>> cells(const std::vector<Table>& tables, const std::string& name) {
  std::vector<std::map<std::string, std::string>> out;
  for (const Table& table : tables) {
    if (table.name != name) continue;
    for (const auto& line : table.rows) {
      auto& at = out.emplace_back();
      for (std::size_t i = 0; i < line.size(); ++i) at[table.columns[i].heading] = line[i];
    }
  }
  return out;
}

TEST(Totals, AreSumsAndNeverMeansOfRatios) {
  const auto all = rows();
  const Totals totals = total_up(all);
  EXPECT_THAT(totals.notes, SizeIs(0));
  ASSERT_THAT(totals.series, SizeIs(6));
  const auto none = std::find_if(totals.series.begin(), totals.series.end(),
                                 [](const Total& t) { return t.modes == "none" && t.control == "original"; });
  EXPECT_EQ(none->tensors, 2u);
  EXPECT_EQ(none->coded_bytes, 2500u);
  EXPECT_DOUBLE_EQ(none->ratio(), 4020.0 / 2500);
  EXPECT_DOUBLE_EQ(none->ratio_symbols(), 4000.0 / 2480);
  EXPECT_DOUBLE_EQ(none->bpw(), 5);
  EXPECT_DOUBLE_EQ(none->h0_bpw, 5.5);
}

TEST(Totals, CompareOverTheSameTensorsAndSayWhatIsLeftOut) {
  auto some = rows();
  some.push_back(row("tiny", 100, 80, "none"));  // finished in one series only
  const Totals paired = total_up(some);
  for (const Total& total : paired.series) EXPECT_EQ(total.weights, 4000u);
  EXPECT_THAT(paired.notes, ElementsAre("m, int8: a tensor not finished in every series is left out (tiny)."));

  some = rows();
  some.push_back(row("small", 1000, 400, "none+top"));  // a quarter of the weights
  const Totals kept = total_up(some);
  EXPECT_THAT(kept.series, SizeIs(6));
  EXPECT_THAT(kept.notes, ElementsAre(HasSubstr("1 series that lack over a tenth of the weights are left out "
                                                "(original codec 16x16 none+top rans identity)")));
}

TEST(Totals, CountACellOfTwoDevicesOnce) {
  auto some = rows();
  auto copy = some[0];
  copy.device = "cuda:0";
  some.push_back(copy);
  EXPECT_EQ(total_up(some).series[0].weights, 4000u);
}

TEST(HeadlineTable, PutsBoundsNoneBestControlAndBaselinesSideBySide) {
  const auto tables = result_tables(rows(), {}, {});
  const auto bpw = cells(tables, "headline");
  ASSERT_THAT(bpw, SizeIs(1));
  EXPECT_EQ(bpw[0].at("weights"), "4000");
  EXPECT_EQ(bpw[0].at("H0"), "5.5000");
  EXPECT_EQ(bpw[0].at("GM bound"), "4.0000");
  EXPECT_EQ(bpw[0].at("none, symbols"), "4.9600");
  EXPECT_EQ(bpw[0].at("none"), "5.0000");
  EXPECT_EQ(bpw[0].at("smallest"), "4.8400");
  EXPECT_EQ(bpw[0].at("smallest is"), "none+left 16x16 rans");
  EXPECT_EQ(bpw[0].at("none, shuffled"), "5.0400");
  EXPECT_EQ(bpw[0].at("zstd"), "5.3600");  // the smaller of its levels
  const auto ratio = cells(tables, "headline-ratio");
  EXPECT_EQ(ratio[0].at("original bit/weight"), "8.0400");
  EXPECT_EQ(ratio[0].at("none"), "1.6080");
  EXPECT_EQ(ratio[0].at("zstd"), "1.5000");
}

TEST(ModesTable, SetsEachSetAgainstNoneAndItsControl) {
  const auto lines = cells(result_tables(rows(), {}, {}), "modes");
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_EQ(lines[0].at("modes"), "none");
  EXPECT_EQ(lines[0].at("against none"), "+0.0000");
  EXPECT_EQ(lines[1].at("modes"), "none+left");
  EXPECT_EQ(lines[1].at("against none"), "-0.1600");
  EXPECT_EQ(lines[1].at("against none, shuffled"), "+0.0200");
}

TEST(KindsTable, SplitsByKind) {
  const auto lines = cells(result_tables(rows(), {}, {}), "kinds");
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_EQ(lines[0].at("kind"), "embedding");
  EXPECT_EQ(lines[0].at("smallest is"), "none+left 16x16 rans");
  EXPECT_EQ(lines[1].at("kind"), "mlp.up");
  EXPECT_EQ(lines[1].at("smallest is"), "none 16x16 rans");
  EXPECT_EQ(lines[1].at("none"), "4.0000");
  EXPECT_EQ(lines[1].at("H0"), "4.0000");
}

TEST(LedgerTable, SharesSumToAHundred) {
  for (const auto& line : cells(result_tables(rows(), {}, {}), "ledger")) {
    double sum = 0;
    for (const auto& [heading, cell] : line) {
      if (heading.ends_with(" %")) sum += csv_real(cell);
    }
    EXPECT_NEAR(sum, 100, 0.01);
  }
}

TEST(BaselinesTable, SortsBySizeAndAddsSpeedsWhereTheyWereTimed) {
  auto lines = cells(result_tables(rows(), {}, {}), "baselines");
  ASSERT_THAT(lines, SizeIs(4));
  EXPECT_EQ(lines[0].at("stages"), "none+left 16x16 rans");
  EXPECT_EQ(lines[3].at("stages"), "zstd:level=3");
  EXPECT_FALSE(lines[0].contains("encode MB/s"));

  // 3 MB at 100 MB/s and 1 MB at 50 MB/s: 4 MB in 0.05 s.
  std::vector<TimingRow> timings(2);
  for (std::size_t i = 0; i < 2; ++i) {
    static_cast<CellLabel&>(timings[i]) = baseline("big", 1, 20, "zstd:level=3");
    timings[i].symbol_bytes = i == 0 ? 3'000'000 : 1'000'000;
    timings[i].encode = timings[i].decode = {i == 0 ? 100.0 : 50.0, 0, 0};
  }
  const auto tables = result_tables(rows(), timings, {});
  lines = cells(tables, "baselines");
  EXPECT_EQ(lines[3].at("encode MB/s"), "80");
  EXPECT_EQ(lines[0].at("encode MB/s"), "");
  EXPECT_EQ(cells(tables, "speeds")[0].at("tensors"), "2");
}

TEST(VerdictsTable, SaysHowManyComparisonsThereWere) {
  Comparison comparison;
  comparison.against = "none";
  const auto all = rows();
  const auto verdicts = compare(all, std::vector{comparison}, {.resamples = 10});
  const auto tables = result_tables(all, {}, verdicts);
  const Table& whole = tables[tables.size() - 2];
  EXPECT_EQ(whole.name, "verdicts");
  EXPECT_THAT(whole.rows, SizeIs(1));
  EXPECT_THAT(whole.notes[1], HasSubstr("3 comparisons were made, 1 of them over all kinds"));
  EXPECT_EQ(cells(tables, "verdicts")[0].at("effect"), "-0.1600");
  EXPECT_EQ(cells(tables, "verdicts")[0].at("net"), "-0.1800");
}

TEST(VerdictKindsTable, HasARowForEachModelKindAndDtype) {
  Comparison comparison;
  comparison.against = "none";
  auto all = rows();
  all.push_back(row("big", 3000, 2500, "none+top"));
  all.push_back(row("big", 3000, 2500, "none+top", "shuffled"));
  const auto lines =
      cells(result_tables(all, {}, compare(all, std::vector{comparison}, {.resamples = 10})), "verdict-kinds");
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_EQ(lines[0].at("kind"), "embedding");
  EXPECT_EQ(lines[0].at("dtype"), "INT8");
  EXPECT_EQ(lines[0].at("choices"), "2");
  EXPECT_EQ(lines[0].at("smallest is"), "none+left 16x16 rans");
  EXPECT_EQ(lines[0].at("effect"), "-0.2667");
  EXPECT_EQ(lines[0].at("structure"), "0 / 0 / 0 / 2");  // one tensor: inconclusive
  EXPECT_EQ(lines[1].at("kind"), "mlp.up");
  EXPECT_EQ(lines[1].at("choices"), "1");
}

TEST(ResultTables, OfNothingAreEmptyNotErrors) {
  for (const Table& table : result_tables({}, {}, {})) {
    EXPECT_THAT(table.rows, SizeIs(0));
    EXPECT_FALSE(to_markdown(table).empty());
  }
}

TEST(ResultTables, DoNotDependOnTheOrderOfRows) {
  auto some = rows();
  const auto forward = result_tables(some, {}, {});
  std::reverse(some.begin(), some.end());
  const auto backward = result_tables(some, {}, {});
  for (std::size_t i = 0; i < forward.size(); ++i) EXPECT_EQ(to_markdown(forward[i]), to_markdown(backward[i]));
}

}  // namespace
}  // namespace wcodec
