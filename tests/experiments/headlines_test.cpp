#include "experiments/headlines.hpp"

#include <gmock/gmock.h>

#include <algorithm>

#include "core/error.hpp"

namespace wcodec {
namespace {

using ::testing::HasSubstr;

SummaryRow row(const std::string& checkpoint, const std::string& quantizer, const std::string& coder, u64 coded) {
  SummaryRow out;
  out.checkpoint = out.family = checkpoint;
  out.tensor = "t";
  out.dtype = "F32";
  out.quantizer = quantizer;
  out.coder = coder;
  out.modes = "none";
  out.tile = "16x16";
  out.weights = out.original_bytes = 1000;
  out.source_bytes = 4000;
  out.coded_bytes = out.ledger[LedgerEntry::payload] = coded;
  return out;
}

const Headline& find(const std::vector<Headline>& headlines, const std::string& part) {
  const auto found = std::find_if(headlines.begin(), headlines.end(),
                                  [&](const Headline& h) { return h.hope.find(part) != std::string::npos; });
  if (found == headlines.end()) throw std::runtime_error("no headline with " + part);
  return *found;
}

Evidence evidence_of(std::vector<SummaryRow> rows) {
  Evidence evidence;
  evidence.summaries.push_back({"results/some/summary.csv", std::move(rows)});
  return evidence;
}

TEST(Headlines, MarksFollowTheRowsAndNothingElse) {
  const char* rans = "rans:tables=tensor";
  const auto mark = [&](u64 by_row, u64 by_tensor) {
    const auto headlines = check_headlines(
        evidence_of({row("m", "int8:axis=row", rans, by_row), row("m", "int8:axis=tensor", rans, by_tensor)}));
    return find(headlines, "2–3×").mark;
  };
  EXPECT_EQ(mark(500, 400), Answer::confirmed);
  EXPECT_EQ(mark(900, 400), Answer::depends);
  EXPECT_EQ(mark(900, 600), Answer::refuted) << "though the FP32 bytes are 6.7 times as many";
  const Headline refuted = find(check_headlines(evidence_of({row("m", "int8:axis=row", rans, 800)})), "2–3×");
  EXPECT_THAT(refuted.measured, HasSubstr("1.250"));
  EXPECT_THAT(refuted.shown_by, HasSubstr("own bytes over coded bytes: up to 5.000"));
  EXPECT_EQ(refuted.file, "results/some/summary.csv");
}

TEST(Headlines, MadeUpDataDoNotSpeakForWeights) {
  std::vector<SummaryRow> rows = {row("constant", "int8:axis=row", "rans:tables=tensor", 10)};
  rows[0].family = "synthetic";
  const auto headlines = check_headlines(evidence_of(rows));
  EXPECT_EQ(find(headlines, "2–3×").mark, Answer::unmeasured);
  EXPECT_EQ(find(headlines, "constant").mark, Answer::confirmed);
  EXPECT_EQ(find(headlines, "smooth").mark, Answer::unmeasured);
}

TEST(Headlines, RansIsHeldAgainstThePrefixCodeOfTheSameSymbols) {
  const auto mark = [](u64 rans, u64 prefix) {
    return find(check_headlines(evidence_of({row("m", "int8:axis=row", "rans:tables=tensor", rans),
                                             row("m", "int8:axis=row", "prefix", prefix)})),
                "Huffman");
  };
  EXPECT_EQ(mark(700, 1000).mark, Answer::confirmed);
  EXPECT_EQ(mark(995, 1000).mark, Answer::refuted);
  EXPECT_THAT(mark(995, 1000).measured, HasSubstr("0.50 %"));
  EXPECT_EQ(find(check_headlines(evidence_of({row("m", "int8:axis=row", "prefix", 9)})), "Huffman").mark,
            Answer::unmeasured);
}

constexpr const char* kGpu = R"({"machine": {"gpu": "a GPU"}, "rows": [
  {"family": "wcodec", "model": "gaussian", "data": "int8ch", "coder": "fast", "mebibytes": 16, "words_bytes": 16777216,
   "single_gbs": 500.0, "graph_gbs": 900.0, "expand_graph_gbs": 1000.0},
  {"family": "wcodec", "model": "gaussian", "data": "int8ch", "coder": "slow", "mebibytes": 16, "words_bytes": 16777216,
   "single_gbs": 5.0, "graph_gbs": null, "expand_graph_gbs": 1000.0},
  {"family": "nvcomp:ans", "model": "gaussian", "data": "int8ch", "coder": "ans", "mebibytes": 16,
   "words_bytes": 16777216, "single_gbs": 9999.0, "graph_gbs": 9999.0, "expand_graph_gbs": 1000.0},
  {"family": "wcodec", "model": "gaussian", "data": "bf16", "coder": "broken", "mebibytes": 16, "failure": "why"}]})";

TEST(Headlines, SpeedsComeFromTheGpusJsonAndFromOurCodersOnly) {
  Evidence evidence = evidence_of({row("m", "int8:axis=row", "raw", 1000)});
  EXPECT_EQ(find(check_headlines(evidence), "100–500").mark, Answer::unmeasured);
  EXPECT_THAT(find(check_headlines(evidence), "100–500").shown_by, HasSubstr("gpu_table"));
  evidence.json = {{"results/gpu/a.json", kGpu}, {"results/cpu/a.json", R"([
                       {"column": "int8ch", "codec": "lz4", "ratio": 0.99, "decode_mb_s": 20000.0},
                       {"column": "int8ch", "codec": "speed", "ratio": 1.1, "decode_mb_s": 2000.0}])"}};
  const auto headlines = check_headlines(evidence);
  EXPECT_EQ(find(headlines, "100–500").mark, Answer::confirmed);
  EXPECT_THAT(find(headlines, "100–500").measured, HasSubstr("900"));
  EXPECT_EQ(find(headlines, "1 ms").mark, Answer::confirmed);
  EXPECT_THAT(find(headlines, "1 ms").shown_by, HasSubstr("0.034 ms"));
  EXPECT_EQ(find(headlines, "moves as many").mark, Answer::confirmed);
  EXPECT_EQ(find(headlines, "≥100×").mark, Answer::confirmed);  // 900 over 2
  evidence.json[1].second = R"([{"column": "int8ch", "codec": "speed", "ratio": 1.1, "decode_mb_s": 20000.0}])";
  EXPECT_EQ(find(check_headlines(evidence), "≥100×").mark, Answer::refuted);
}

TEST(Headlines, AFailedCellIsSeen) {
  Evidence evidence = evidence_of({row("m", "int8:axis=row", "raw", 1000)});
  evidence.failures = {{"results/some/failures.csv", "status,reason\n"}};
  EXPECT_EQ(find(check_headlines(evidence), "accuracy").mark, Answer::confirmed);
  evidence.failures[0].second = "status,reason\nunavailable,no GPU\n";
  EXPECT_EQ(find(check_headlines(evidence), "accuracy").mark, Answer::confirmed);
  evidence.failures[0].second = "status,reason\nfailed,differs\n";
  EXPECT_EQ(find(check_headlines(evidence), "accuracy").mark, Answer::depends);
  EXPECT_EQ(find(check_headlines(evidence), "accuracy").file, "results/some/failures.csv");
}

TEST(Headlines, DamagedEvidenceIsNamed) {
  Evidence evidence = evidence_of({row("m", "int8:axis=row", "raw", 1000)});
  evidence.json = {{"results/gpu/a.json", "{"}};
  try {
    check_headlines(evidence);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::corrupt);
    EXPECT_THAT(error.what(), HasSubstr("results/gpu/a.json"));
  }
  EXPECT_THROW(read_evidence({::testing::TempDir() + "/nothing-here"}), Error);
}

TEST(Headlines, AWarmUpIsAsLongAsCopyingThePlainWeights) {
  Evidence evidence = evidence_of({row("m", "int8:axis=row", "raw", 1000)});
  evidence.json = {{"results/gpu/m.json", R"({"gpu": "a GPU", "upload_bytes_per_second": 5e10,
    "load": [{"decoded_bytes": 1e9, "seconds": 0.5}], "resident": {"graph_seconds": 0.001}})"}};
  const auto headlines = check_headlines(evidence);
  EXPECT_EQ(find(headlines, "warm-up (on the GPU").mark, Answer::confirmed);
  EXPECT_THAT(find(headlines, "warm-up (on the GPU").measured, HasSubstr("20"));
  EXPECT_EQ(find(headlines, "warm-up (file").mark, Answer::refuted);
  EXPECT_THAT(find(headlines, "warm-up (file").measured, HasSubstr("0.04"));
}

// What docs/claims.md shows is what the committed results say.
TEST(Headlines, TheCommittedResultsHaveEveryRatio) {
  const auto headlines = check_headlines(read_evidence({std::string(WCODEC_SOURCE_DIR) + "/results"}));
  for (const char* hope : {"2–3×", "than INT8", "than INT4", "gzip", "zstd", "bzip2", "random", "smooth", "constant",
                           "Huffman", "accuracy"}) {
    EXPECT_NE(find(headlines, hope).mark, Answer::unmeasured) << hope;
    EXPECT_FALSE(find(headlines, hope).file.empty()) << hope;
  }
}

}  // namespace
}  // namespace wcodec
