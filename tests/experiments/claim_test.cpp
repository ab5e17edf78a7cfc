#include "experiments/claim.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <set>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "core/sources/source.hpp"
#include "experiments/claim_sample.hpp"

namespace wcodec {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Parsed {
  const char* text;
  double low, high;
  std::vector<std::string> about;
};

TEST(Claim, TextsAreReadAsPeopleWriteThem) {
  const double infinity = std::numeric_limits<double>::infinity();
  const Parsed cases[] = {
      {"1.54x int8", 1.54, 1.54, {"int8"}},
      {"1.54× INT8", 1.54, 1.54, {"int8"}},
      {"2–3× on INT8", 2, 3, {"int8"}},
      {">=1.1x bf16", 1.1, infinity, {"bf16"}},
      {"≥1.1× BF16", 1.1, infinity, {"bf16"}},
      {"30-60% smaller than int4", 1 / 0.7, 1 / 0.4, {"int4"}},
      {"30 % smaller, fp16", 1 / 0.7, 1 / 0.7, {"f16"}},
      {"zstd 1.3-1.8x int8 minilm", 1.3, 1.8, {"zstd", "int8", "minilm"}},
  };
  for (const Parsed& expected : cases) {
    const Claim claim = parse_claim(expected.text, 0);
    EXPECT_DOUBLE_EQ(claim.low, expected.low) << expected.text;
    EXPECT_DOUBLE_EQ(claim.high, expected.high) << expected.text;
    EXPECT_EQ(claim.about, expected.about) << expected.text;
  }
  const Claim near = parse_claim("1.50x int8", 0.02);
  EXPECT_DOUBLE_EQ(near.low, 1.47);
  EXPECT_DOUBLE_EQ(near.high, 1.53);
}

TEST(Claim, WhatIsNoRatioIsRefusedWithAnExample) {
  for (const char* text : {"int8", "", "x", "3-2x int8", "0x int8", "-1x", "100% smaller", "1e999x", "nanx"}) {
    try {
      parse_claim(text, 0.02);
      FAIL() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage) << text;
      EXPECT_THAT(error.what(), HasSubstr("1.54x")) << text;
    }
  }
  EXPECT_THROW(parse_claim("1.5x 2x int8", 0), Error);
}

// 1,000 weights of INT8 from FP32; 100 bytes of scales.
SummaryRow row(const std::string& tensor, u64 coded_symbols, const std::string& control = "original") {
  SummaryRow out;
  out.checkpoint = out.family = "model";
  out.tensor = tensor;
  out.dtype = "F32";
  out.control = control;
  out.quantizer = "int8:axis=row";
  out.coder = "rans:tables=tensor";
  out.modes = "none";
  out.tile = "16x16";
  out.role = "codec";
  out.weights = 1000;
  out.source_bytes = 4000;
  out.original_bytes = 1100;
  out.original_scale_bytes = 100;
  out.ledger[LedgerEntry::payload] = coded_symbols - 10;
  out.ledger[LedgerEntry::table] = 10;
  out.ledger[LedgerEntry::scale] = 100;
  out.coded_bytes = coded_symbols + 100;
  return out;
}

double ratio(const ClaimReport& report, Denominator denominator) {
  for (const ClaimRow& r : report.rows) {
    if (r.denominator == denominator) return r.ratio;
  }
  return std::nan("");
}

TEST(Claim, EachDenominatorDividesWhatItNames) {
  const std::vector<SummaryRow> rows = {row("a", 500), row("b", 1000), row("a", 600, "shuffled"),
                                        row("b", 1000, "shuffled")};
  const ClaimReport report = check_claim(parse_claim("1.33x int8", 0.02), rows);
  EXPECT_DOUBLE_EQ(ratio(report, Denominator::symbols), 2000.0 / 1500);
  EXPECT_DOUBLE_EQ(ratio(report, Denominator::with_scales), 2200.0 / 1700);
  EXPECT_DOUBLE_EQ(ratio(report, Denominator::payload), 2000.0 / 1480);
  EXPECT_DOUBLE_EQ(ratio(report, Denominator::best_tensor), 2);
  EXPECT_DOUBLE_EQ(ratio(report, Denominator::mean_of_ratios), 1.5);
  EXPECT_DOUBLE_EQ(ratio(report, Denominator::source), 8000.0 / 1700);
  EXPECT_DOUBLE_EQ(ratio(report, Denominator::as_fp16), 4000.0 / 1700);
  EXPECT_DOUBLE_EQ(ratio(report, Denominator::as_fp32), 8000.0 / 1700);
  for (const ClaimRow& r : report.rows) {
    if (r.denominator == Denominator::symbols) {
      EXPECT_DOUBLE_EQ(r.shuffled, 2000.0 / 1600);
      EXPECT_DOUBLE_EQ(r.bpw, 8 * 1700.0 / 2000);
      EXPECT_TRUE(r.meets);
    }
    EXPECT_EQ(r.meets, r.ratio >= report.claim.low && r.ratio <= report.claim.high);
  }
}

TEST(Claim, ATensorCountsOnceWhateverResultsHaveIt) {
  const std::vector<SummaryRow> once = {row("a", 500), row("b", 1000)};
  std::vector<SummaryRow> twice = once;
  twice.push_back(row("a", 500));
  twice.back().device = "cuda:0";
  const Claim claim = parse_claim("1.5x int8", 0.02);
  EXPECT_EQ(ratio(check_claim(claim, once), Denominator::symbols),
            ratio(check_claim(claim, twice), Denominator::symbols));
}

TEST(Claim, AControlOfOtherTensorsStandsBesideNothing) {
  const ClaimReport report =
      check_claim(parse_claim("1.5x int8", 0.02), std::vector{row("a", 500), row("b", 900), row("a", 500, "shuffled")});
  for (const ClaimRow& r : report.rows) EXPECT_TRUE(std::isnan(r.shuffled));
}

TEST(Claim, AnswersFollowTheRules) {
  const std::vector<SummaryRow> good = {row("a", 500)};  // 2 without scales, 1100 / 600 with
  const auto answer = [](const char* claim, std::span<const SummaryRow> rows) {
    return check_claim(parse_claim(claim, 0), rows).answer;
  };
  EXPECT_EQ(answer(">=1.5x int8", good), Answer::confirmed);
  EXPECT_EQ(answer("1.5x int8", good), Answer::confirmed) << "more than claimed";
  EXPECT_EQ(answer(">=1.9x int8", good), Answer::depends) << "scales";
  EXPECT_EQ(answer(">=3x int8", good), Answer::depends) << "the checkpoint was FP32";
  EXPECT_EQ(answer(">=9x int8", good), Answer::refuted);
  EXPECT_EQ(answer(">=1.5x int4", good), Answer::unmeasured);
  EXPECT_EQ(answer(">=1.5x int8", {}), Answer::unmeasured);
  // One granularity of two.
  std::vector<SummaryRow> mixed = good;
  mixed.push_back(row("a", 990));
  mixed.back().quantizer = "int8:axis=column";
  EXPECT_EQ(answer(">=1.5x int8", mixed), Answer::depends);
  EXPECT_EQ(answer(">=1.5x axis=row", mixed), Answer::confirmed);
  // Payload alone does not save a claim.
  std::vector<SummaryRow> tables = {row("a", 1000)};
  tables[0].source_bytes = 1000;
  tables[0].weights = 100;
  EXPECT_EQ(answer(">=1.005x int8", tables), Answer::refuted);
}

TEST(Claim, IntegersOfTheFileAreInt8AsWell) {
  SummaryRow native = row("a", 900);
  native.dtype = "I8";
  native.quantizer = "lossless";
  EXPECT_EQ(check_claim(parse_claim("1.1x int8", 0.02), std::vector{native}).rows.size(), kDenominators);
  native.dtype = "F32";
  EXPECT_TRUE(check_claim(parse_claim("1.1x int8", 0.02), std::vector{native}).rows.empty());
}

TEST(Claim, OutliersThatAClaimNeedsAreThoseOfAGaussian) {
  const ClaimReport report = check_claim(parse_claim("2x int8", 0), std::vector{row("a", 500)});
  // 127 steps to k σ: 4 bits when log2(127 √(2πe) / k) = 4.
  EXPECT_NEAR(report.outlier_sigmas, 127 * std::sqrt(2 * M_PI * M_E) / 16, 1e-9);
  EXPECT_TRUE(std::isnan(check_claim(parse_claim("2x int4", 0), std::vector{row("a", 500)}).outlier_sigmas));
}

TEST(Claim, TheTextNamesDenominatorGranularityAndAnswer) {
  const std::string text = describe(check_claim(parse_claim("1.54x int8", 0.02), std::vector{row("a", 650)}));
  for (const char* part : {"no scales", "all coded bytes", "granularity and clip", "int8:axis=row", "answer: depends",
                           "standard deviations"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_THAT(describe(check_claim(parse_claim("1.54x int3", 0.02), std::vector{row("a", 650)})),
              HasSubstr("not measured"));
}

std::vector<double> gaussian(std::size_t count) {
  std::vector<double> values(count);
  Philox random(5, 0);
  for (double& value : values) value = random.normal();
  return values;
}

TEST(ClaimSample, OneOutlierRaisesTheRatioAndLeavingItOutTakesItBack) {
  std::vector<double> values = gaussian(100'000);
  const OutlierRow plain = outliers_of("plain", values);
  EXPECT_NEAR(plain.sigmas, 4.4, 0.5);
  EXPECT_LT(plain.ratio[0], 1.2);
  values[17] = -40;
  const OutlierRow with_one = outliers_of("one", values);
  EXPECT_NEAR(with_one.sigmas, 40, 1);
  // 127 steps to 40 σ: entropy log2(127 √(2πe) / 40).
  EXPECT_NEAR(with_one.ratio[0], 8 / std::log2(127 * std::sqrt(2 * M_PI * M_E) / 40), 0.02);
  EXPECT_NEAR(with_one.ratio[1], plain.ratio[0], 0.02) << "1 in a million of 100,000 weights is one weight";
  for (std::size_t i = 1; i < with_one.ratio.size(); ++i) EXPECT_LE(with_one.ratio[i], with_one.ratio[i - 1]);
}

TEST(ClaimSample, ConstantAndEmptyScalesAreNoTrap) {
  const OutlierRow zeros = outliers_of("zeros", std::vector<double>(100, 0.0));
  EXPECT_EQ(zeros.sigmas, 0);
  EXPECT_TRUE(std::isinf(zeros.ratio[0]));
  EXPECT_TRUE(std::isinf(outliers_of("ones", std::vector<double>(100, 1.0)).ratio[0]));
}

TEST(ClaimSample, ACheckpointIsMeasuredAtEveryGranularityAndClip) {
  const auto checkpoint = open_checkpoint("synthetic:gaussian:rows=64,cols=128,tensors=3,seed=2");
  ClaimSample sample;
  sample.tensors = 2;
  std::vector<std::string> seen;
  const ClaimMeasurement measured = measure_for_claim(parse_claim("1.1x int8 zstd", 0.02), *checkpoint, sample,
                                                      [&](const TensorInfo& tensor) { seen.push_back(tensor.name); });
  EXPECT_EQ(measured.tensors, 2u);
  EXPECT_EQ(measured.matrices, 3u);
  EXPECT_EQ(measured.weights, 2u * 64 * 128);
  EXPECT_EQ(seen.size(), 2u);
  EXPECT_EQ(measured.outliers.size(), 2u);
  std::set<std::string> quantizers, coders;
  for (const SummaryRow& r : measured.rows) {
    quantizers.insert(r.quantizer);
    coders.insert(r.coder);
  }
  EXPECT_THAT(quantizers, ElementsAre("int8:axis=column", "int8:axis=column,clip=mse", "int8:axis=row",
                                      "int8:axis=row,clip=mse", "int8:axis=tensor", "int8:axis=tensor,clip=mse",
                                      "int8:clip=mse,group=128", "int8:group=128"));
  EXPECT_TRUE(coders.contains("zstd:level=3"));
  EXPECT_FALSE(coders.contains("gzip:level=6"));
  // Eight quantizers, two tensors: two controls, two mode sets, two coders; and a baseline.
  EXPECT_EQ(measured.rows.size(), 8u * 2 * (2 * 2 * 2 + 1));
  sample.include = {"nothing*"};
  EXPECT_THROW(measure_for_claim(parse_claim("1.1x int8", 0.02), *checkpoint, sample), Error);
}

}  // namespace
}  // namespace wcodec
