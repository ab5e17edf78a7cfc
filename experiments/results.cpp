#include "experiments/results.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "experiments/csv.hpp"
#include "experiments/statistics.hpp"

namespace wcodec {
namespace {

double quotient(double numerator, double denominator) noexcept {
  return denominator > 0 ? numerator / denominator : std::numeric_limits<double>::quiet_NaN();
}

// What keeps a row from being true, empty if nothing does.
std::string broken_books(const SummaryRow& row) {
  if (row.ledger.total() != row.coded_bytes) {
    return fmt::format("coded_bytes is {} but the accounts sum to {}", row.coded_bytes, row.ledger.total());
  }
  if (row.original_scale_bytes > row.original_bytes) return "the scales are larger than the original bytes";
  if (row.rows < 0 || row.cols < 0 || row.weights != static_cast<u64>(row.rows) * static_cast<u64>(row.cols)) {
    return fmt::format("{} weights in a matrix of {}x{}", row.weights, row.rows, row.cols);
  }
  return {};
}

Speed speed_of(u64 bytes, const std::vector<double>& seconds) {
  std::vector<Weighted> speeds;
  for (const double s : seconds) speeds.push_back({quotient(static_cast<double>(bytes) / 1e6, s), 1.0});
  return {weighted_quantile(speeds, 0.5), weighted_quantile(speeds, 0.25), weighted_quantile(speeds, 0.75)};
}

bool noisy(const Speed& speed) noexcept { return speed.q3 - speed.q1 > 0.1 * speed.median; }

}  // namespace

std::string front_stages(sv order, sv approx, sv reference, sv before) {
  std::string text;
  if (order != "identity") text += fmt::format("{}order={}", before, order);
  if (approx != "none") text += fmt::format("{}approx={}", before, approx);
  if (reference != "none") text += fmt::format("{}reference={}", before, reference);
  return text;
}

CellLabel label_cell(sv checkpoint, sv family, const TensorInfo& tensor, const Cell& cell) {
  CellLabel label;
  label.cell = cell.hash;
  label.checkpoint = plain_text(checkpoint);
  label.family = plain_text(family);
  label.tensor = plain_text(tensor.name);
  label.kind = plain_text(tensor.kind);
  label.dtype = plain_text(tensor.source_type.empty() ? info(tensor.dtype).name : sv(tensor.source_type));
  label.rows = tensor.rows;
  label.cols = tensor.cols;
  label.control = cell.control;
  label.device = cell.device;
  label.quantizer = cell.quantizer;
  label.order = cell.order;
  label.approx = cell.approx;
  label.tile = cell.tile;
  label.modes = cell.modes;
  label.transform = cell.transform;
  label.coder = cell.coder;
  label.reference = cell.reference;
  label.role = cell.role == Role::codec ? "codec" : "baseline";
  return label;
}

double SummaryRow::bpw() const noexcept {
  return quotient(8.0 * static_cast<double>(coded_bytes), static_cast<double>(weights));
}
double SummaryRow::bpw_symbols() const noexcept {
  return quotient(8.0 * static_cast<double>(coded_bytes - scale_bytes()), static_cast<double>(weights));
}
double SummaryRow::ratio() const noexcept {
  return quotient(static_cast<double>(original_bytes), static_cast<double>(coded_bytes));
}
double SummaryRow::ratio_symbols() const noexcept {
  return quotient(static_cast<double>(original_bytes - original_scale_bytes),
                  static_cast<double>(coded_bytes - scale_bytes()));
}

SummaryRow summarize(CellLabel label, const CellResult& result) {
  SummaryRow row;
  static_cast<CellLabel&>(row) = std::move(label);
  row.weights = result.weights;
  row.source_bytes = result.source_bytes;
  row.original_bytes = result.original_bytes;
  row.coded_bytes = result.coded_bytes;
  row.original_scale_bytes = result.original_scale_bytes;
  row.ledger = result.ledger;
  row.h0_bpw = result.h0_bpw;
  row.residual_h0_bpw = result.residual_h0_bpw;
  row.best_bpw = result.best_bpw;
  row.gm_bpw = result.gm_bpw;
  row.mode_counts = result.modes;
  if (const std::string broken = broken_books(row); !broken.empty()) {
    throw Error(ErrorKind::internal, fmt::format("cell {} ({}): {}", row.cell, row.tensor, broken));
  }
  return row;
}

TimingRow summarize_timing(CellLabel label, const TimedCell& timed, int threads, double clock_mhz, bool throttled) {
  TimingRow row;
  static_cast<CellLabel&>(row) = std::move(label);
  row.weights = static_cast<u64>(row.rows) * static_cast<u64>(row.cols);
  row.symbol_bytes = timed.symbol_bytes;
  row.coded_bytes = timed.coded_bytes;
  row.threads = threads;
  row.repeats = std::max(timed.encode_seconds.size(), timed.decode_seconds.size());
  row.encode = speed_of(timed.symbol_bytes, timed.encode_seconds);
  row.decode = speed_of(timed.symbol_bytes, timed.decode_seconds);
  row.moved_gbs =
      row.decode.median *
      (1 + static_cast<double>(timed.coded_bytes) / static_cast<double>(std::max<u64>(1, timed.symbol_bytes))) / 1000;
  row.busy = speed_of(timed.symbol_bytes, timed.wall_seconds).median / row.decode.median;
  row.clock_mhz = clock_mhz;
  row.warning = throttled ? "throttled" : noisy(row.encode) || noisy(row.decode) ? "noisy" : "";
  return row;
}

}  // namespace wcodec
