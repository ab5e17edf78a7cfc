#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/error.hpp"
#include "experiments/csv.hpp"
#include "experiments/results.hpp"
#include "experiments/results_file.hpp"

namespace wcodec {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

CellLabel label(std::string tensor, std::string control = "original") {
  CellLabel out;
  out.cell = std::string(32, 'a');
  out.checkpoint = "minilm";
  out.family = "minilm";
  out.tensor = std::move(tensor);
  out.kind = "mlp.up";
  out.dtype = "F32";
  out.rows = 64;
  out.cols = 100;
  out.control = std::move(control);
  out.quantizer = "int8:axis=row";
  out.tile = "16x16";
  out.modes = "none+left";
  out.coder = "rans:tables=tensor";
  return out;
}

CellResult result() {
  CellResult out;
  out.weights = 6400;
  out.source_bytes = 25600;
  out.original_bytes = 6400 + 256;
  out.original_scale_bytes = 256;
  out.ledger[LedgerEntry::payload] = 5000;
  out.ledger[LedgerEntry::table] = 144;
  out.ledger[LedgerEntry::scale] = 256;
  out.coded_bytes = 5400;
  out.h0_bpw = 6.25;
  out.residual_h0_bpw = 6.1;
  out.best_bpw = 6.125;
  out.gm_bpw = kNan;
  out.modes = {{"0", "none", 24}, {"0", "left", 4}};
  return out;
}

TEST(Summary, RatiosAndBitsFollowTheirDefinitions) {
  const SummaryRow row = summarize(label("w"), result());
  EXPECT_DOUBLE_EQ(row.bpw(), 8.0 * 5400 / 6400);
  EXPECT_DOUBLE_EQ(row.bpw_symbols(), 8.0 * 5144 / 6400);
  EXPECT_DOUBLE_EQ(row.ratio(), 6656.0 / 5400);
  EXPECT_DOUBLE_EQ(row.ratio_symbols(), 6400.0 / 5144);
}

TEST(Summary, BooksThatDoNotBalanceAreAnErrorOfOurs) {
  auto wrong = result();
  wrong.coded_bytes += 1;
  EXPECT_THROW(summarize(label("w"), wrong), Error);
  wrong = result();
  wrong.weights = 6399;
  EXPECT_THROW(summarize(label("w"), wrong), Error);
  wrong = result();
  wrong.original_scale_bytes = 6657;
  EXPECT_THROW(summarize(label("w"), wrong), Error);
}

TEST(Summary, FileIsAsDocumented) {
  const std::vector<SummaryRow> rows{summarize(label("w"), result())};
  EXPECT_EQ(summary_csv(rows),
            "cell,checkpoint,family,tensor,kind,dtype,rows,cols,control,device,quantizer,tile,modes,transform,coder,"
            "role,weights,source_bytes,original_bytes,coded_bytes,payload_bytes,table_bytes,mode_bytes,"
            "transform_bytes,param_bytes,context_bytes,state_bytes,index_bytes,scale_bytes,header_bytes,padding_bytes,"
            "crc_bytes,bpw,bpw_symbols,h0_bpw,residual_h0_bpw,best_bpw,gm_bpw,ratio,ratio_symbols\n"
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa,minilm,minilm,w,mlp.up,F32,64,100,original,cpu,int8:axis=row,16x16,"
            "none+left,identity,rans:tables=tensor,codec,6400,25600,6656,5400,5000,144,0,0,0,0,0,0,256,0,0,0,6.75,6.43,"
            "6.25,6.1,6.125,,1.2325925925925927,1.244167962674961\n");
}

TEST(Summary, HasColumnsForOrderAndApproximationWhereTheyVary) {
  std::vector<SummaryRow> rows{summarize(label("w"), result())};
  const std::string plain = summary_csv(rows);
  CellLabel other = label("w");
  other.order = "scale:axis=both";
  rows.push_back(summarize(other, result()));
  const std::string with_order = summary_csv(rows);
  EXPECT_THAT(with_order, HasSubstr(",ratio_symbols,order\n"));
  EXPECT_THAT(with_order, HasSubstr("1.244167962674961,identity\n"));
  EXPECT_THAT(with_order, HasSubstr("1.244167962674961,scale:axis=both\n"));
  EXPECT_THAT(modes_csv(rows), HasSubstr(",none+left;order=scale:axis=both,"));
  other.order = "identity";
  other.approx = "mean";
  rows.push_back(summarize(other, result()));
  EXPECT_THAT(summary_csv(rows), HasSubstr(",ratio_symbols,order,approx\n"));
  const std::vector<SummaryRow> back = parse_summary_csv(summary_csv(rows));
  ASSERT_EQ(back.size(), 3u);
  EXPECT_EQ(summary_csv(back), summary_csv(rows));
  EXPECT_EQ(summary_csv(std::vector<SummaryRow>{rows[0]}), plain);
}

TEST(Summary, DependsOnTheSetOfRowsAlone) {
  std::vector<SummaryRow> rows;
  for (const char* tensor : {"b", "a", "a.b", "A"}) {
    for (const char* control : {"shuffled", "original"}) rows.push_back(summarize(label(tensor, control), result()));
  }
  CellLabel baseline = label("a");
  baseline.role = "baseline";
  baseline.tile = baseline.modes = "";
  rows.push_back(summarize(baseline, result()));
  const std::string text = summary_csv(rows);
  std::sort(rows.begin(), rows.end(), [](const auto& x, const auto& y) { return x.role < y.role; });
  std::reverse(rows.begin(), rows.end());
  EXPECT_EQ(summary_csv(rows), text);

  std::vector<std::string> order;
  for (const auto& row : parse_summary_csv(text)) order.push_back(row.tensor + " " + row.control + " " + row.role);
  EXPECT_THAT(order, ElementsAre("A original codec", "A shuffled codec", "a original baseline", "a original codec",
                                 "a shuffled codec", "a.b original codec", "a.b shuffled codec", "b original codec",
                                 "b shuffled codec"));
}

TEST(Summary, ReadsBackWhole) {
  auto odd = result();
  odd.original_bytes = 6400 + 257;
  odd.original_scale_bytes = 257;
  const std::vector<SummaryRow> rows{summarize(label("a \"quoted\", name"), result()), summarize(label("b"), odd)};
  const std::vector<SummaryRow> read = parse_summary_csv(summary_csv(rows));
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[0].tensor, "a \"quoted\", name");
  EXPECT_EQ(read[0].original_scale_bytes, 256u);
  EXPECT_EQ(read[1].original_scale_bytes, 257u);
  EXPECT_EQ(read[0].ledger, rows[0].ledger);
  EXPECT_TRUE(std::isnan(read[0].gm_bpw));
  EXPECT_EQ(summary_csv(read), summary_csv(rows));
}

TEST(Summary, ReadingChecksTheBooks) {
  std::string text = summary_csv(std::vector<SummaryRow>{summarize(label("w"), result())});
  const auto at = text.find(",5400,");
  text.replace(at, 6, ",5401,");
  try {
    parse_summary_csv(text);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::corrupt);
    EXPECT_THAT(error.what(), HasSubstr("data row 1"));
  }
  EXPECT_THROW(parse_summary_csv("cell,checkpoint\n"), Error);
}

TEST(Summary, NamesOutOfAFileCannotHarmATerminal) {
  TensorInfo tensor;
  tensor.name = "a\x1b[2J\xff";
  tensor.kind = "other";
  tensor.source_type = "Q4_K";
  tensor.rows = 2;
  tensor.cols = 3;
  Cell cell;
  cell.role = Role::baseline;
  const CellLabel got = label_cell("m", "f", tensor, cell);
  EXPECT_EQ(got.tensor, "a\\x1b[2J\\xff");
  EXPECT_EQ(got.dtype, "Q4_K");
  EXPECT_EQ(got.role, "baseline");
}

TEST(Modes, AreListedByTensorAndPlane) {
  EXPECT_EQ(modes_csv(std::vector<SummaryRow>{summarize(label("w"), result())}),
            "checkpoint,tensor,kind,control,quantizer,tile,modes,coder,plane,mode,tiles\n"
            "minilm,w,mlp.up,original,int8:axis=row,16x16,none+left,rans:tables=tensor,0,none,24\n"
            "minilm,w,mlp.up,original,int8:axis=row,16x16,none+left,rans:tables=tensor,0,left,4\n");
}

DiagnosticsRow diagnostics(std::string tensor, std::string kind) {
  DiagnosticsRow row{"minilm", std::move(tensor), std::move(kind), 6400, "16x16", {}};
  row.diagnostics.control = "original";
  row.diagnostics.quantizer = "int8";
  row.diagnostics.histograms = {{"0", "none", {{-2, 10}, {1, 20}}}, {"0", "left", {{0, 30}}}};
  row.diagnostics.correlations = {{1, -1, 0.25}, {0, 1, -0.5}};
  return row;
}

TEST(Histograms, SumOverTensorsOfAKindAndCountEachTensorOnce) {
  const std::vector<DiagnosticsRow> rows{diagnostics("b", "mlp.up"), diagnostics("a", "mlp.up"),
                                         diagnostics("c", "other"), diagnostics("a", "mlp.up")};
  EXPECT_EQ(histograms_csv(rows),
            "checkpoint,kind,control,quantizer,tile,mode,plane,value,count\n"
            "minilm,mlp.up,original,int8,16x16,left,0,0,60\n"
            "minilm,mlp.up,original,int8,16x16,none,0,-2,20\n"
            "minilm,mlp.up,original,int8,16x16,none,0,1,40\n"
            "minilm,other,original,int8,16x16,left,0,0,30\n"
            "minilm,other,original,int8,16x16,none,0,-2,10\n"
            "minilm,other,original,int8,16x16,none,0,1,20\n");
}

TEST(Correlations, AreSortedByLag) {
  EXPECT_EQ(correlations_csv(std::vector<DiagnosticsRow>{diagnostics("a", "mlp.up")}),
            "checkpoint,tensor,kind,control,quantizer,drow,dcol,rho,weights\n"
            "minilm,a,mlp.up,original,int8,0,1,-0.5,6400\n"
            "minilm,a,mlp.up,original,int8,1,-1,0.25,6400\n");
}

TEST(Failures, SayWhy) {
  FailureRow row;
  static_cast<CellLabel&>(row) = label("w");
  row.status = "timeout";
  row.reason = "over 60 s, \x1b[31mkilled";
  EXPECT_EQ(failures_csv(std::vector<FailureRow>{row}),
            "cell,checkpoint,tensor,control,quantizer,tile,modes,coder,status,reason\n"
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa,minilm,w,original,int8:axis=row,16x16,none+left,rans:tables=tensor,"
            "timeout,\"over 60 s, \\x1b[31mkilled\"\n");
}

TEST(Timings, AreMediansAndQuartilesOfSpeeds) {
  TimedCell timed;
  timed.symbol_bytes = 6'000'000;
  timed.coded_bytes = 5400;
  timed.encode_seconds = {1, 2, 3, 6, 1.5};  // 6 3 2 1 4 MB/s
  timed.decode_seconds = {1, 1, 1, 1, 1};
  const TimingRow row = summarize_timing(label("w"), timed, 1, kNan, false);
  EXPECT_DOUBLE_EQ(row.encode.median, 3);
  EXPECT_DOUBLE_EQ(row.encode.q1, 1.75);
  EXPECT_DOUBLE_EQ(row.encode.q3, 4.5);
  EXPECT_EQ(row.warning, "noisy");
  EXPECT_EQ(summarize_timing(label("w"), timed, 1, kNan, true).warning, "throttled");
  timed.encode_seconds = {1, 1.01};
  EXPECT_EQ(summarize_timing(label("w"), timed, 1, kNan, false).warning, "");
  EXPECT_EQ(timings_csv(std::vector<TimingRow>{row}),
            "cell,checkpoint,family,tensor,kind,quantizer,tile,modes,coder,role,device,weights,symbol_bytes,"
            "coded_bytes,threads,repeats,encode_MBps,encode_MBps_q1,encode_MBps_q3,decode_MBps,decode_MBps_q1,"
            "decode_MBps_q3,moved_GBps,busy,clock_mhz,warning\n"
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa,minilm,minilm,w,mlp.up,int8:axis=row,16x16,none+left,rans:tables=tensor,"
            "codec,cpu,6400,6000000,5400,1,5,3,1.75,4.5,6,6,6,0.0060054,,,noisy\n");
}

class AtomicFile : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(::testing::TempDir()) / ("wcodec-results-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override {
    std::filesystem::permissions(folder_, std::filesystem::perms::owner_all);
    std::filesystem::remove_all(folder_);
  }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::recursive_directory_iterator(folder_),
                                                  std::filesystem::recursive_directory_iterator()));
  }
  std::filesystem::path folder_;
};

TEST_F(AtomicFile, ReplacesAndLeavesNothingBeside) {
  const std::string path = (folder_ / "deep" / "a.csv").string();
  write_file_atomically(path, "old");
  write_file_atomically(path, std::string(100'000, 'x'));
  EXPECT_EQ(read_text_file(path), std::string(100'000, 'x'));
  EXPECT_EQ(files(), 2u);  // the folder and the file
}

TEST_F(AtomicFile, AFailureLeavesTheOldAndNoTemporary) {
  const std::string path = (folder_ / "a.csv").string();
  std::filesystem::create_directories(path + "/occupied");  // a directory cannot be replaced by a file
  EXPECT_THROW(write_file_atomically(path, "new"), Error);
  EXPECT_EQ(files(), 2u);
}

TEST_F(AtomicFile, AFullDiskIsAnError) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full";
  // The temporary name of this process leads to the full device.
  const std::string path = (folder_ / "a.csv").string();
  std::filesystem::create_symlink("/dev/full", path + "." + std::to_string(::getpid()) + ".tmp");
  EXPECT_THROW(write_file_atomically(path, "new"), Error);
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(AtomicFile, ReadingIsBounded) {
  const std::string path = (folder_ / "a").string();
  write_file_atomically(path, "12345");
  EXPECT_EQ(read_text_file(path, 5), "12345");
  EXPECT_THROW(read_text_file(path, 4), Error);
  EXPECT_THROW(read_text_file(path + "b"), Error);
}

}  // namespace
}  // namespace wcodec
