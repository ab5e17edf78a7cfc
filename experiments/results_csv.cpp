#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "core/error.hpp"
#include "experiments/csv.hpp"
#include "experiments/results.hpp"

namespace wcodec {
namespace {

constexpr sv kSummaryColumns[] = {
    "cell",           "checkpoint",    "family",        "tensor",       "kind",        "dtype",
    "rows",           "cols",          "control",       "device",       "quantizer",   "tile",
    "modes",          "transform",     "coder",         "role",         "weights",     "source_bytes",
    "original_bytes", "coded_bytes",   "payload_bytes", "table_bytes",  "mode_bytes",  "transform_bytes",
    "param_bytes",    "context_bytes", "state_bytes",   "index_bytes",  "scale_bytes", "header_bytes",
    "padding_bytes",  "crc_bytes",     "bpw",           "bpw_symbols",  "h0_bpw",      "residual_h0_bpw",
    "best_bpw",       "gm_bpw",        "ratio",         "ratio_symbols"};
// Behind the others, each in files of experiments that vary it alone: an older file stays readable, and a new one of an
// old experiment is the same to the byte.
constexpr sv kOrderColumn = "order", kApproxColumn = "approx", kReferenceColumn = "reference";
constexpr std::size_t kFirstAccount = 20;
static_assert(kSummaryColumns[kFirstAccount] == kLedgerColumns.front());
static_assert(kSummaryColumns[kFirstAccount + kLedgerEntries - 1] == kLedgerColumns.back());

constexpr sv kTimingColumns[] = {
    "cell",           "checkpoint", "family",      "tensor",         "kind",           "quantizer",    "tile",
    "modes",          "coder",      "role",        "device",         "weights",        "symbol_bytes", "coded_bytes",
    "threads",        "repeats",    "encode_MBps", "encode_MBps_q1", "encode_MBps_q3", "decode_MBps",  "decode_MBps_q1",
    "decode_MBps_q3", "moved_GBps", "busy",        "clock_mhz",      "warning"};

constexpr sv kModeColumns[] = {"checkpoint", "tensor", "kind",  "control", "quantizer", "tile",
                               "modes",      "coder",  "plane", "mode",    "tiles"};

constexpr sv kHistogramColumns[] = {"checkpoint", "kind",  "control", "quantizer", "tile",
                                    "mode",       "plane", "value",   "count"};

constexpr sv kCorrelationColumns[] = {"checkpoint", "tensor", "kind", "control", "quantizer",
                                      "drow",       "dcol",   "rho",  "weights"};

constexpr sv kFailureColumns[] = {"cell", "checkpoint", "tensor", "control", "quantizer",
                                  "tile", "modes",      "coder",  "status",  "reason"};

// The rows in the order of the files. Pointers: a row holds a dozen strings.
template <class Row>
std::vector<const Row*> sorted(std::span<const Row> rows) {
  std::vector<const Row*> order;
  order.reserve(rows.size());
  for (const Row& row : rows) order.push_back(&row);
  std::stable_sort(order.begin(), order.end(),
                   [](const Row* a, const Row* b) { return a->sort_key() < b->sort_key(); });
  return order;
}

// First report of each (checkpoint, tensor, control, quantizer), in that order.
using DiagnosticsKey = std::tuple<sv, sv, sv, sv>;
std::map<DiagnosticsKey, const DiagnosticsRow*> distinct(std::span<const DiagnosticsRow> rows) {
  std::map<DiagnosticsKey, const DiagnosticsRow*> out;
  for (const DiagnosticsRow& row : rows) {
    out.try_emplace({row.checkpoint, row.tensor, row.diagnostics.control, row.diagnostics.quantizer}, &row);
  }
  return out;
}

// Scales are not a column; the ratio without them tells. It is a rational with a known denominator, so rounding gives
// back the exact count.
u64 original_scale_bytes(const SummaryRow& row, double ratio_symbols) {
  if (std::isnan(ratio_symbols)) return row.original_bytes;
  const double symbols = std::round(ratio_symbols * static_cast<double>(row.coded_bytes - row.scale_bytes()));
  if (!(symbols >= 0 && symbols <= static_cast<double>(row.original_bytes))) {
    throw Error(ErrorKind::corrupt, "ratio_symbols contradicts the bytes");
  }
  return row.original_bytes - static_cast<u64>(symbols);
}

struct FurtherColumns {
  bool order, approx, reference;
};

std::vector<sv> summary_columns(const FurtherColumns& further) {
  std::vector<sv> columns(std::begin(kSummaryColumns), std::end(kSummaryColumns));
  if (further.order) columns.push_back(kOrderColumn);
  if (further.approx) columns.push_back(kApproxColumn);
  if (further.reference) columns.push_back(kReferenceColumn);
  return columns;
}

SummaryRow parse_row(const std::vector<std::string>& cells, const FurtherColumns& further) {
  SummaryRow row;
  CellResult result;
  std::size_t at = 0;
  const auto text = [&]() -> const std::string& { return cells[at++]; };
  CellLabel label;
  for (std::string* field : {&label.cell, &label.checkpoint, &label.family, &label.tensor, &label.kind, &label.dtype}) {
    *field = text();
  }
  label.rows = csv_integer(text());
  label.cols = csv_integer(text());
  for (std::string* field : {&label.control, &label.device, &label.quantizer, &label.tile, &label.modes,
                             &label.transform, &label.coder, &label.role}) {
    *field = text();
  }
  for (u64* field : {&result.weights, &result.source_bytes, &result.original_bytes, &result.coded_bytes}) {
    *field = csv_count(text());
  }
  for (u64& account : result.ledger.bytes) account = csv_count(text());
  at += 2;  // bpw and bpw_symbols follow from the bytes
  for (double* field : {&result.h0_bpw, &result.residual_h0_bpw, &result.best_bpw, &result.gm_bpw}) {
    *field = csv_real(text());
  }
  ++at;  // ratio follows too
  const double ratio_symbols = csv_real(text());
  if (further.order) label.order = text();
  if (further.approx) label.approx = text();
  if (further.reference) label.reference = text();
  row = summarize(std::move(label), result);
  row.original_scale_bytes = original_scale_bytes(row, ratio_symbols);
  return row;
}

}  // namespace

std::string summary_csv(std::span<const SummaryRow> rows) {
  const FurtherColumns further{
      std::any_of(rows.begin(), rows.end(), [](const SummaryRow& row) { return row.order != "identity"; }),
      std::any_of(rows.begin(), rows.end(), [](const SummaryRow& row) { return row.approx != "none"; }),
      std::any_of(rows.begin(), rows.end(), [](const SummaryRow& row) { return row.reference != "none"; })};
  CsvWriter csv(summary_columns(further));
  for (const SummaryRow* row : sorted(rows)) {
    csv.cell(row->cell).cell(row->checkpoint).cell(row->family).cell(row->tensor).cell(row->kind).cell(row->dtype);
    csv.cell(row->rows).cell(row->cols).cell(row->control).cell(row->device).cell(row->quantizer).cell(row->tile);
    csv.cell(row->modes).cell(row->transform).cell(row->coder).cell(row->role).cell(row->weights);
    csv.cell(row->source_bytes).cell(row->original_bytes).cell(row->coded_bytes);
    for (const u64 account : row->ledger.bytes) csv.cell(account);
    csv.cell(row->bpw()).cell(row->bpw_symbols()).cell(row->h0_bpw).cell(row->residual_h0_bpw);
    csv.cell(row->best_bpw).cell(row->gm_bpw).cell(row->ratio()).cell(row->ratio_symbols());
    if (further.order) csv.cell(row->order);
    if (further.approx) csv.cell(row->approx);
    if (further.reference) csv.cell(row->reference);
    csv.end_row();
  }
  return csv.text();
}

std::string modes_csv(std::span<const SummaryRow> rows) {
  CsvWriter csv(kModeColumns);
  for (const SummaryRow* row : sorted(rows)) {
    auto counts = row->mode_counts;
    std::stable_sort(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.plane < b.plane; });
    for (const CellResult::ModeCount& count : counts) {
      csv.cell(row->checkpoint).cell(row->tensor).cell(row->kind).cell(row->control).cell(row->quantizer);
      csv.cell(row->tile).cell(row->modes_and_further()).cell(row->coder).cell(count.plane).cell(count.mode);
      csv.cell(count.tiles);
      csv.end_row();
    }
  }
  return csv.text();
}

std::string timings_csv(std::span<const TimingRow> rows) {
  CsvWriter csv(kTimingColumns);
  for (const TimingRow* row : sorted(rows)) {
    csv.cell(row->cell).cell(row->checkpoint).cell(row->family).cell(row->tensor).cell(row->kind);
    csv.cell(row->quantizer).cell(row->tile).cell(row->modes_and_further()).cell(row->coder).cell(row->role);
    csv.cell(row->device);
    csv.cell(row->weights).cell(row->symbol_bytes).cell(row->coded_bytes).cell(row->threads).cell(row->repeats);
    for (const Speed& speed : {row->encode, row->decode}) csv.cell(speed.median).cell(speed.q1).cell(speed.q3);
    csv.cell(row->moved_gbs).cell(row->busy).cell(row->clock_mhz).cell(row->warning);
    csv.end_row();
  }
  return csv.text();
}

std::string histograms_csv(std::span<const DiagnosticsRow> rows) {
  std::map<std::tuple<sv, sv, sv, sv, sv, sv, sv, int>, u64> counts;
  for (const auto& [key, row] : distinct(rows)) {
    const Diagnostics& diagnostics = row->diagnostics;
    for (const Diagnostics::Histogram& histogram : diagnostics.histograms) {
      for (const auto& [value, count] : histogram.counts) {
        counts[{row->checkpoint, row->kind, diagnostics.control, diagnostics.quantizer, row->tile, histogram.mode,
                histogram.plane, value}] += count;
      }
    }
  }
  CsvWriter csv(kHistogramColumns);
  for (const auto& [key, count] : counts) {
    std::apply([&](const auto&... parts) { (csv.cell(parts), ...); }, key);
    csv.cell(count);
    csv.end_row();
  }
  return csv.text();
}

std::string correlations_csv(std::span<const DiagnosticsRow> rows) {
  CsvWriter csv(kCorrelationColumns);
  for (const auto& [key, row] : distinct(rows)) {
    auto correlations = row->diagnostics.correlations;
    std::sort(correlations.begin(), correlations.end(),
              [](const auto& a, const auto& b) { return std::tie(a.drow, a.dcol) < std::tie(b.drow, b.dcol); });
    for (const Diagnostics::Correlation& c : correlations) {
      csv.cell(row->checkpoint).cell(row->tensor).cell(row->kind).cell(row->diagnostics.control);
      csv.cell(row->diagnostics.quantizer).cell(c.drow).cell(c.dcol).cell(c.rho).cell(row->weights);
      csv.end_row();
    }
  }
  return csv.text();
}

std::string failures_csv(std::span<const FailureRow> rows) {
  CsvWriter csv(kFailureColumns);
  for (const FailureRow* row : sorted(rows)) {
    csv.cell(row->cell).cell(row->checkpoint).cell(row->tensor).cell(row->control).cell(row->quantizer);
    csv.cell(row->tile).cell(row->modes_and_further()).cell(row->coder).cell(row->status);
    csv.cell(sv(plain_text(row->reason)));
    csv.end_row();
  }
  return csv.text();
}

std::vector<SummaryRow> parse_summary_csv(sv text) {
  const CsvTable table = parse_csv(text);
  const auto has = [&](sv column) {
    return std::find(table.columns.begin(), table.columns.end(), column) != table.columns.end();
  };
  const FurtherColumns further{has(kOrderColumn), has(kApproxColumn), has(kReferenceColumn)};
  const std::vector<sv> expected = summary_columns(further);
  if (!std::equal(table.columns.begin(), table.columns.end(), expected.begin(), expected.end())) {
    throw Error(ErrorKind::corrupt, "summary.csv: its columns are not those that this version writes");
  }
  std::vector<SummaryRow> rows;
  rows.reserve(table.rows.size());
  for (const auto& cells : table.rows) {
    try {
      rows.push_back(parse_row(cells, further));
    } catch (const Error& error) {
      throw Error(ErrorKind::corrupt, fmt::format("summary.csv, data row {}: {}", rows.size() + 1, error.what()));
    }
  }
  return rows;
}

}  // namespace wcodec
