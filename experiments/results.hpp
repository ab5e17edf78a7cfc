// Rows of the result files, and the files themselves. Columns, units and order are those of results/README.md.
//
// Every writer sorts what it is given, so a file depends on the set of rows alone: not on the order in which cells
// finished, on threads or on time.
#pragma once

#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "core/tensor.hpp"
#include "experiments/cell.hpp"
#include "experiments/measure.hpp"

namespace wcodec {

// What stands before the codec where it is not the default, with `before` in front: " order=transpose approx=mean".
std::string front_stages(sv order, sv approx, sv reference, sv before = " ");

// Who a row is about: the plan's side of it. Text from checkpoints has been through `plain_text`.
struct CellLabel {
  std::string cell;  // hash
  std::string checkpoint, family, tensor, kind, dtype;
  i64 rows = 0, cols = 0;
  std::string control = "original", device = "cpu";
  std::string quantizer, order = "identity", approx = "none", tile, modes, transform = "identity", coder,
                         reference = "none";
  std::string role = "codec";  // or "baseline"

  // For files without columns for them: "none;order=transpose;transform=dct8", plain modes where all are the default.
  std::string modes_and_further() const {
    return modes + front_stages(order, approx, reference, ";") +
           (transform == "identity" ? "" : ";transform=" + transform);
  }

  // Order of the rows in every file; the last three only break ties.
  auto sort_key() const noexcept {
    return std::tie(checkpoint, tensor, control, quantizer, role, tile, modes, coder, order, approx, reference,
                    transform, device, cell);
  }
};

// `dtype` of the row is how the file calls its encoding.
CellLabel label_cell(sv checkpoint, sv family, const TensorInfo& tensor, const Cell& cell);

// One row of summary.csv. Derived columns are functions of the bytes, so they cannot contradict them.
struct SummaryRow : CellLabel {
  u64 weights = 0, source_bytes = 0, original_bytes = 0, coded_bytes = 0;
  u64 original_scale_bytes = 0;  // not a column: the part of original_bytes that is scales
  Ledger ledger;
  double h0_bpw = 0, residual_h0_bpw = 0, best_bpw = 0, gm_bpw = 0;  // NaN = not applicable
  std::vector<CellResult::ModeCount> mode_counts;                    // not a column: modes.csv

  u64 scale_bytes() const noexcept { return ledger[LedgerEntry::scale]; }
  // NaN where the denominator is zero.
  double bpw() const noexcept;
  double bpw_symbols() const noexcept;
  double ratio() const noexcept;
  double ratio_symbols() const noexcept;
};

// Joins the plan with a result. Throws Error{internal} when the books do not balance: the ledger's total is not
// coded_bytes, the scales exceed their file, or the weights are not rows × cols.
SummaryRow summarize(CellLabel label, const CellResult& result);

// One row of timings.csv. Speeds in MB/s, 10^6 bytes of symbols at native width.
struct Speed {
  double median = 0, q1 = 0, q3 = 0;
};
struct TimingRow : CellLabel {
  u64 weights = 0, symbol_bytes = 0, coded_bytes = 0;
  int threads = 1;
  u64 repeats = 0;
  Speed encode, decode;
  double moved_gbs = 0;  // GB/s that decoding reads and writes: coded bytes and symbols
  double busy = 0;       // share of the wall clock that the GPU decodes, launch and wait being the rest; NaN on the CPU
  double clock_mhz = 0;  // NaN = unknown
  std::string warning;   // empty, "noisy" or "throttled"
};

// `noisy`: the quartiles of encode or decode lie more than 10 % of the median apart. `throttled` outranks it.
TimingRow summarize_timing(CellLabel label, const TimedCell& timed, int threads, double clock_mhz, bool throttled);

// Diagnostics of one tensor, for histograms.csv and correlations.csv. A tensor, quantizer and control may be reported
// more than once (a resumed run): only the first counts, so nothing is summed twice.
struct DiagnosticsRow {
  std::string checkpoint, tensor, kind;
  u64 weights = 0;
  std::string tile;  // the tile that the histograms' predictors worked in
  Diagnostics diagnostics;
};

struct FailureRow : CellLabel {
  std::string status;  // "failed", "timeout" or "crashed"
  std::string reason;
};

// The files, as text. Write them with write_file_atomically.
std::string summary_csv(std::span<const SummaryRow> rows);
std::string modes_csv(std::span<const SummaryRow> rows);
std::string timings_csv(std::span<const TimingRow> rows);
std::string histograms_csv(std::span<const DiagnosticsRow> rows);
std::string correlations_csv(std::span<const DiagnosticsRow> rows);
std::string failures_csv(std::span<const FailureRow> rows);

// Reads a summary.csv of ours back, checking the books of every row. Throws Error{corrupt} with the data row.
std::vector<SummaryRow> parse_summary_csv(sv text);

}  // namespace wcodec
