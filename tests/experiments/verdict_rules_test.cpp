#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "experiments/csv.hpp"
#include "experiments/verdict.hpp"

namespace wcodec {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr u64 kWeights = 8'000'000;  // one coded byte is a millionth of a bit per weight

struct Where {
  std::string checkpoint = "minilm", family = "minilm", tensor = "", control = "original", modes = "none",
              kind = "mlp.up";
  std::string tile = "16x16", coder = "rans", quantizer = "int8", role = "codec", device = "cpu";
};

SummaryRow row(const Where& where, double bpw) {
  SummaryRow out;
  out.checkpoint = where.checkpoint;
  out.family = where.family;
  out.tensor = where.tensor;
  out.control = where.control;
  out.modes = where.modes;
  out.kind = where.kind;
  out.tile = where.tile;
  out.coder = where.coder;
  out.quantizer = where.quantizer;
  out.role = where.role;
  out.device = where.device;
  out.weights = kWeights;
  out.coded_bytes = static_cast<u64>(std::llround(bpw * kWeights / 8));
  out.ledger[LedgerEntry::payload] = out.coded_bytes;
  out.original_bytes = kWeights;
  out.h0_bpw = 7.25;
  out.residual_h0_bpw = out.best_bpw = bpw;
  out.gm_bpw = kNan;
  return out;
}

// `count` tensors whose effect of `modes` is `effect` ± a little, and `shuffled` on the control.
std::vector<SummaryRow> tensors(std::size_t count, double effect, double shuffled, Where where = {},
                                const std::string& modes = "left") {
  std::vector<SummaryRow> rows;
  Philox random(7, 0);
  for (std::size_t i = 0; i < count; ++i) {
    where.tensor = "t" + std::to_string(i);
    const double noise = 0.001 * random.normal();
    for (const char* control : {"original", "shuffled"}) {
      where.control = control;
      where.modes = "none";
      rows.push_back(row(where, 7.25));
      where.modes = modes;
      rows.push_back(row(where, 7.25 + noise + (where.control == "original" ? effect : shuffled)));
    }
  }
  return rows;
}

std::vector<VerdictRow> compare_modes(const std::vector<SummaryRow>& rows) {
  Comparison comparison;
  comparison.against = "none";
  return compare(rows, std::vector<Comparison>{comparison}, {.resamples = 1000});
}

VerdictRow only_all(const std::vector<VerdictRow>& rows, const std::string& scope = "checkpoint") {
  for (const VerdictRow& row : rows) {
    if (row.kind == "all" && row.scope == scope) return row;
  }
  ADD_FAILURE() << "no row of scope " << scope;
  return {};
}

TEST(Judge, DecidesAtTheMargins) {
  EXPECT_EQ(judge({-0.03, -0.0101}, 0.01), Verdict::helps);
  EXPECT_EQ(judge({-0.03, -0.01}, 0.01), Verdict::inconclusive);
  EXPECT_EQ(judge({-0.01, 0.01}, 0.01), Verdict::no_effect);
  EXPECT_EQ(judge({-0.0101, 0.0}, 0.01), Verdict::inconclusive);
  EXPECT_EQ(judge({0.0, 0.0101}, 0.01), Verdict::inconclusive);
  EXPECT_EQ(judge({0.01, 0.03}, 0.01), Verdict::inconclusive);
  EXPECT_EQ(judge({0.0101, 0.03}, 0.01), Verdict::hurts);
  EXPECT_EQ(judge({-1, 1}, 0.01), Verdict::inconclusive);
  EXPECT_EQ(judge({0, 0}, 0), Verdict::no_effect);
  EXPECT_EQ(judge({}, 0.01), Verdict::inconclusive);
}

TEST(Compare, TakesTheControlAway) {
  // A forced predictor: as dear on shuffled weights. No structure, and yet a larger file.
  const VerdictRow forced = only_all(compare_modes(tensors(10, 0.42, 0.42)));
  EXPECT_NEAR(forced.effect.effect, 0.42, 0.002);
  EXPECT_NEAR(forced.net.effect, 0, 1e-6);
  EXPECT_EQ(forced.verdict, Verdict::no_effect);
  EXPECT_EQ(forced.bytes_verdict, Verdict::hurts);

  // Dear, but less so than on shuffled weights: structure, and still nothing that helps.
  const VerdictRow dear = only_all(compare_modes(tensors(10, 0.3, 0.42)));
  EXPECT_LT(dear.net.effect, -0.1);
  EXPECT_EQ(dear.verdict, Verdict::hurts);

  const VerdictRow useful = only_all(compare_modes(tensors(10, -0.05, 0.0)));
  EXPECT_EQ(useful.verdict, Verdict::helps);
  EXPECT_EQ(useful.bytes_verdict, Verdict::helps);

  // What the shuffled weights gain too is not structure.
  const VerdictRow spurious = only_all(compare_modes(tensors(10, -0.05, -0.05)));
  EXPECT_EQ(spurious.verdict, Verdict::no_effect);
  EXPECT_EQ(spurious.bytes_verdict, Verdict::helps);

  const VerdictRow harmful = only_all(compare_modes(tensors(10, 0.3, 0.2)));
  EXPECT_EQ(harmful.verdict, Verdict::hurts);
}

TEST(Compare, WeighsByWeightsAndSaysWhatStandsBehind) {
  auto rows = tensors(2, 0, 0);
  rows[0].weights = rows[1].weights = rows[2].weights = rows[3].weights = 3 * kWeights;
  for (std::size_t i = 0; i < 4; ++i) rows[i].coded_bytes *= 3;
  rows[1].coded_bytes = rows[0].coded_bytes + 3 * kWeights / 8;  // +1 bit/weight on three quarters of the weights
  rows[5].coded_bytes = rows[4].coded_bytes;
  const VerdictRow all = only_all(compare_modes(rows));
  EXPECT_NEAR(all.effect.effect, 0.75, 1e-9);
  EXPECT_EQ(all.tensors, 2u);
  EXPECT_EQ(all.weights, 4 * kWeights);
  EXPECT_EQ(all.checkpoints, 1u);
}

TEST(Compare, GivesEachKindItsRow) {
  auto rows = tensors(7, 0.1, 0);
  for (auto& r : rows) {
    if (r.tensor == "t6") r.kind = "embedding";
  }
  const auto verdicts = compare_modes(rows);
  std::vector<std::string> kinds;
  for (const auto& v : verdicts) kinds.push_back(v.kind + " " + std::to_string(v.tensors));
  EXPECT_THAT(kinds, ElementsAre("all 7", "embedding 1", "mlp.up 6"));
}

TEST(Compare, GivesEachDtypeOfSymbolsItsRow) {
  auto rows = tensors(14, 0.1, 0, {.quantizer = "lossless"});
  for (auto& r : rows) r.dtype = std::stoi(r.tensor.substr(1)) < 8 ? "BF16" : "F32";
  std::vector<std::string> dtypes;
  for (const auto& v : compare_modes(rows)) dtypes.push_back(v.kind + " " + v.dtype + " " + std::to_string(v.tensors));
  EXPECT_THAT(dtypes, ElementsAre("all mixed 14", "mlp.up BF16 8", "mlp.up F32 6"));
  for (auto& r : rows) r.quantizer = "fp8:format=e4m3";
  EXPECT_EQ(symbol_dtype(rows.front()), "FP8");
  EXPECT_EQ(only_all(compare_modes(rows)).dtype, "FP8");
}

// Seven tensors whose effect is surely, but not very surely, below the margin.
std::vector<SummaryRow> doubtful(const std::string& checkpoint) {
  std::vector<SummaryRow> rows;
  for (int t = 0; t < 7; ++t) {
    for (const char* control : {"original", "shuffled"}) {
      Where where{
          .checkpoint = checkpoint, .family = checkpoint, .tensor = "t" + std::to_string(t), .control = control};
      rows.push_back(row(where, 7.25));
      where.modes = "left";
      rows.push_back(row(where, 7.25 - (where.control == "original" ? 0.014 + 0.003 * t : 0)));
    }
  }
  return rows;
}

TEST(Compare, CorrectsForTheNumberOfComparisons) {
  const VerdictRow alone = only_all(compare_modes(doubtful("m")));
  EXPECT_EQ(alone.verdict, Verdict::helps);
  EXPECT_GT(alone.net_sure.p, 0.001);
  EXPECT_EQ(alone.net_sure.holm, alone.net_sure.p);
  EXPECT_EQ(alone.net_sure.q, alone.net_sure.p);

  // The same among thirty others that are just as doubtful.
  std::vector<SummaryRow> many = doubtful("m");
  for (int other = 0; other < 30; ++other) {
    const auto more = tensors(7, other % 2 ? 0.01 : -0.01, 0, {.checkpoint = "o" + std::to_string(other)});
    many.insert(many.end(), more.begin(), more.end());
  }
  const auto verdicts = compare_modes(many);
  const auto among = std::find_if(verdicts.begin(), verdicts.end(), [](const VerdictRow& r) {
    return r.checkpoint == "m" && r.kind == "all" && r.scope == "checkpoint";
  });
  ASSERT_NE(among, verdicts.end());
  EXPECT_EQ(among->net.interval.hi, alone.net.interval.hi);  // intervals stay
  EXPECT_EQ(among->net_sure.p, alone.net_sure.p);
  EXPECT_GT(among->net_sure.holm, 0.05);
  EXPECT_LE(among->net_sure.q, among->net_sure.holm);
  EXPECT_EQ(among->alone, Verdict::helps);
  EXPECT_EQ(among->verdict, Verdict::inconclusive);
  EXPECT_EQ(among->bytes_verdict, Verdict::inconclusive);
  EXPECT_THAT(headline(verdicts)[0], HasSubstr("concluded more by their own intervals"));
}

// The look at single kinds does not weaken what is said of the whole.
TEST(Compare, KindsAndWholeModelsAreFamiliesOfTheirOwn) {
  auto rows = doubtful("m");
  const double before = only_all(compare_modes(rows)).net_sure.holm;
  for (auto& r : rows) r.kind = r.tensor;
  EXPECT_EQ(only_all(compare_modes(rows)).net_sure.holm, before);
}

TEST(Compare, OneTensorIsInconclusiveEvenAtZero) {
  const VerdictRow one = only_all(compare_modes(tensors(1, 0, 0)));
  EXPECT_FALSE(one.net.interval.known());
  EXPECT_EQ(one.verdict, Verdict::inconclusive);
  EXPECT_EQ(one.bytes_verdict, Verdict::inconclusive);
}

TEST(Compare, WithoutAControlOnlyTheBytesAreJudged) {
  auto rows = tensors(10, -0.05, 0);
  std::erase_if(rows, [](const SummaryRow& r) { return r.control == "shuffled"; });
  const VerdictRow all = only_all(compare_modes(rows));
  EXPECT_TRUE(std::isnan(all.net.effect));
  EXPECT_TRUE(std::isnan(all.shuffled_effect));
  EXPECT_EQ(all.verdict, Verdict::inconclusive);
  EXPECT_EQ(all.bytes_verdict, Verdict::helps);
}

TEST(Compare, AControlOfFewWeightsIsNone) {
  auto rows = tensors(20, -0.05, 0);
  auto most = rows;
  std::erase_if(most, [](const SummaryRow& r) { return r.control == "shuffled" && r.tensor == "t3"; });
  EXPECT_EQ(only_all(compare_modes(most)).verdict, Verdict::helps);
  std::erase_if(rows, [](const SummaryRow& r) { return r.control == "shuffled" && r.tensor.size() == 2; });  // half
  const VerdictRow half = only_all(compare_modes(rows));
  EXPECT_TRUE(std::isnan(half.net.effect));
  EXPECT_FALSE(std::isnan(half.shuffled_effect));
  EXPECT_EQ(half.verdict, Verdict::inconclusive);
}

TEST(Compare, PairsOnlyWhatFinishedOnBothSides) {
  auto rows = tensors(8, -0.05, 0);
  std::erase_if(rows,
                [](const SummaryRow& r) { return r.tensor == "t2" && r.modes == "none" && r.control == "original"; });
  EXPECT_EQ(only_all(compare_modes(rows)).tensors, 7u);
}

TEST(Compare, KeepsEverythingElseEqual) {
  auto rows = tensors(7, 0.1, 0);
  const auto other = tensors(7, 0.2, 0, {.tile = "8x32"});
  rows.insert(rows.end(), other.begin(), other.end());
  const auto verdicts = compare_modes(rows);
  ASSERT_THAT(verdicts, SizeIs(4));  // two tiles, kind and all
  EXPECT_NEAR(verdicts[0].effect.effect, 0.1, 0.01);
  EXPECT_EQ(verdicts[1].tile, "8x32");
  EXPECT_NEAR(verdicts[1].effect.effect, 0.2, 0.01);
}

TEST(Compare, ComparesAnyAxis) {
  auto rows = tensors(7, 0.1, 0);
  for (auto other : tensors(7, 0.1, 0)) {
    other.tile = "8x32";
    other.coded_bytes += kWeights / 8;  // one bit more
    rows.push_back(other);
  }
  Comparison tile{"tile", "16x16", "bpw", 0.01};
  const auto verdicts = compare(rows, std::vector{tile}, {.resamples = 100});
  ASSERT_THAT(verdicts, SizeIs(4));  // two mode sets, kind and all
  EXPECT_EQ(verdicts[0].candidate(), "8x32");
  EXPECT_NEAR(verdicts[0].effect.effect, 1, 1e-6);
  EXPECT_THAT(verdicts_csv(verdicts), HasSubstr("checkpoint,minilm,all,INT8,int8,8x32,rans,left,16x16,bpw,7,"));
}

TEST(Compare, ABaselineMayBeTheReferenceOfCoders) {
  std::vector<SummaryRow> rows;
  for (int t = 0; t < 8; ++t) {
    const std::string tensor = "t" + std::to_string(t);
    rows.push_back(row({.tensor = tensor}, 7.0));
    rows.push_back(row({.tensor = tensor, .modes = "", .tile = "", .coder = "zstd:level=19", .role = "baseline"}, 7.5));
    rows.push_back(row({.tensor = tensor, .modes = "", .tile = "", .coder = "gzip", .role = "baseline"}, 7.6));
  }
  Comparison coder{"coder", "zstd:level=19", "bpw", 0.01};
  const auto verdicts = compare(rows, std::vector{coder}, {.resamples = 100});
  ASSERT_THAT(verdicts, SizeIs(4));
  EXPECT_EQ(verdicts[0].coder, "gzip");
  EXPECT_NEAR(verdicts[0].effect.effect, 0.1, 1e-6);
  EXPECT_EQ(verdicts[1].coder, "rans");
  EXPECT_EQ(verdicts[1].bytes_verdict, Verdict::helps);
}

TEST(Compare, ACellOnTwoDevicesCountsOnce) {
  auto rows = tensors(7, 0.1, 0);
  const auto copy = tensors(7, 0.1, 0, {.device = "cuda:0"});
  rows.insert(rows.end(), copy.begin(), copy.end());
  const auto verdicts = compare_modes(rows);
  ASSERT_THAT(verdicts, SizeIs(2));
  EXPECT_EQ(verdicts[0].tensors, 7u);
  Comparison device{"device", "cpu", "bpw", 0.01};
  const auto same = compare(rows, std::vector{device}, {.resamples = 100});
  ASSERT_FALSE(same.empty());
  EXPECT_EQ(same[0].verdict, Verdict::no_effect);
  EXPECT_THAT(verdicts_csv(same), HasSubstr(";device=cuda:0"));
}

TEST(Compare, PoolsOnlyIndependentFamilies) {
  std::vector<SummaryRow> five, six;
  for (int model = 0; model < 6; ++model) {
    const std::string name = "m" + std::to_string(model);
    const auto some = tensors(7, -0.05 + 0.001 * model, 0, {.checkpoint = name, .family = name});
    six.insert(six.end(), some.begin(), some.end());
    // The same six checkpoints, two of them of one family.
    for (auto copy : some) {
      if (model == 5) copy.family = "m4";
      five.push_back(copy);
    }
  }
  const VerdictRow enough = only_all(compare_modes(six), "pooled");
  EXPECT_EQ(enough.families, 6u);
  EXPECT_TRUE(enough.net.interval.known());
  EXPECT_EQ(enough.verdict, Verdict::helps);
  const VerdictRow few = only_all(compare_modes(five), "pooled");
  EXPECT_EQ(few.checkpoints, 6u);
  EXPECT_EQ(few.families, 5u);
  EXPECT_NEAR(few.effect.effect, enough.effect.effect, 1e-12);
  EXPECT_FALSE(few.net.interval.known());
  EXPECT_EQ(few.verdict, Verdict::inconclusive);
  EXPECT_THAT(verdicts_csv(std::vector{few}),
              HasSubstr("pooled,all,all,INT8,int8,16x16,rans,left,none,bpw,42,336000000,"));
}

TEST(Compare, OneCheckpointIsNotPooled) {
  for (const VerdictRow& r : compare_modes(tensors(7, 0, 0))) EXPECT_EQ(r.scope, "checkpoint");
}

TEST(Compare, RefusesWhatDoesNotExist) {
  const auto rows = tensors(1, 0, 0);
  Comparison wrong;
  wrong.against = "none";
  wrong.factor = "mode";
  try {
    compare(rows, std::vector{wrong});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_THAT(error.what(), HasSubstr("did you mean 'modes'"));
  }
  wrong.factor = "modes";
  wrong.statistic = "ratio";
  EXPECT_THROW(compare(rows, std::vector{wrong}), Error);
}

TEST(Verdicts, FileIsTheSameForEveryOrderOfRows) {
  auto rows = tensors(9, -0.02, 0.01);
  const auto more = tensors(9, 0.1, 0.1, {.checkpoint = "pylm", .family = "pylm"}, "none+top");
  rows.insert(rows.end(), more.begin(), more.end());
  const std::string text = verdicts_csv(compare_modes(rows));
  std::reverse(rows.begin(), rows.end());
  EXPECT_EQ(verdicts_csv(compare_modes(rows)), text);
  const CsvTable table = parse_csv(text);
  EXPECT_THAT(table.columns,
              ElementsAre("scope", "checkpoint", "kind", "dtype", "quantizer", "tile", "coder", "modes", "against",
                          "statistic", "tensors", "weights", "effect", "effect_lo", "effect_hi", "bytes_p",
                          "bytes_p_holm", "bytes_q", "shuffled_effect", "shuffled_rows_effect", "gaussian_effect",
                          "net", "net_lo", "net_hi", "p", "p_holm", "q", "verdict", "bytes_verdict"));
  EXPECT_EQ(table.rows[0][table.column("gaussian_effect")], "");
}

TEST(Headline, AnswersFirstAndSaysWhatLimitsIt) {
  auto rows = tensors(8, -0.05, 0.0, {}, "none+left");
  const auto forced = tensors(8, 0.42, 0.42);
  rows.insert(rows.end(), forced.begin(), forced.end());
  const auto lines = headline(compare_modes(rows));
  ASSERT_GE(lines.size(), 4u);
  EXPECT_LE(lines.size(), 10u);
  EXPECT_THAT(lines[0], AllOf(HasSubstr("modes against none: 1 of 2 comparisons show that it helps"),
                              HasSubstr("1 get smaller, 1 larger")));
  EXPECT_THAT(lines[1], AllOf(HasSubstr("Best of minilm, int8: none+left 16x16 rans against none: -0.05"),
                              HasSubstr("helps; bytes: smaller")));
  EXPECT_THAT(lines[2], AllOf(HasSubstr("Largest: minilm, int8: left"), HasSubstr("shuffled control +0.42"),
                              HasSubstr("no effect; bytes: larger")));
  EXPECT_THAT(lines, Contains(HasSubstr("1 small model (64.0 M weights compared): no claim about large models.")));
}

TEST(Headline, IsHonestAboutIgnorance) {
  auto rows = tensors(3, -0.05, 0.0);
  std::erase_if(rows, [](const SummaryRow& r) { return r.control == "shuffled"; });
  const auto lines = headline(compare_modes(rows));
  EXPECT_THAT(lines[0], HasSubstr("undecided"));
  EXPECT_THAT(lines, Contains(HasSubstr("[no interval] (no shuffled control): inconclusive")));
  EXPECT_THAT(lines, Contains(HasSubstr("Without a shuffled control on minilm")));
  EXPECT_THAT(lines, Contains(HasSubstr("Fewer than 6 tensors in minilm")));
  EXPECT_THAT(headline({}), ElementsAre(HasSubstr("Nothing was compared")));
}

TEST(Headline, StaysShortForManyModels) {
  std::vector<SummaryRow> rows;
  for (int model = 0; model < 12; ++model) {
    const std::string name = "m" + std::to_string(model);
    const auto some = tensors(7, 0.01 * model, 0, {.checkpoint = name, .family = name});
    rows.insert(rows.end(), some.begin(), some.end());
  }
  const auto lines = headline(compare_modes(rows));
  EXPECT_LE(lines.size(), 10u);
  EXPECT_THAT(lines, Contains(HasSubstr("Best of m0")));
  EXPECT_THAT(lines, Contains(AllOf(HasSubstr("Best of m11"), HasSubstr("8 more lie between"))));
  EXPECT_THAT(lines, Contains(HasSubstr("Pooled, best of all 12 models")));
}

}  // namespace
}  // namespace wcodec
