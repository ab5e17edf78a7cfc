#include "experiments/tables_results.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "experiments/tables_totals.hpp"
#include "experiments/tables_verdicts.hpp"

namespace wcodec {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr int kBitDigits = 4, kRatioDigits = 4, kSpeedDigits = 0;

using Cells = std::vector<std::string>;
using GroupKey = std::pair<sv, sv>;  // checkpoint, quantizer

TableColumn text(std::string heading) { return {std::move(heading), Align::left}; }
TableColumn number(std::string heading) { return {std::move(heading), Align::right}; }
std::string bits(double value) { return format_real(value, kBitDigits); }
std::string count(u64 value) { return std::to_string(value); }

double per_weight(u64 bytes, const Total& total) {
  return 8.0 * static_cast<double>(bytes) / static_cast<double>(total.weights);
}

// "none+left 16x16 rans:tables=tensor"; a baseline is its coder.
std::string stages(const CellLabel& label) {
  std::string out = label.modes;
  if (!label.tile.empty()) out += " " + label.tile;
  out += (out.empty() ? "" : " ") + label.coder;
  out += front_stages(label.order, label.approx, label.reference);
  if (label.transform != "identity") out += " " + label.transform;
  return out;
}

// The series of one checkpoint and quantizer, and those among them that stand for it.
struct Shown {
  std::vector<const Total*> series;
  const Total *none = nullptr, *best = nullptr;  // smallest codec series of the original weights; null if there is none
  const Total* shuffled_none = nullptr;          // the same stages as `none` on the shuffled control
  std::map<sv, const Total*> baselines;          // by library: the smallest of its settings

  const Total* any() const { return series.front(); }
};

const Total* smaller(const Total* a, const Total* b) { return a == nullptr || b->coded_bytes < a->coded_bytes ? b : a; }

Shown show(std::vector<const Total*> series) {
  Shown out;
  out.series = std::move(series);
  for (const Total* total : out.series) {
    if (total->control != "original") continue;
    if (total->role == "baseline") {
      const Total*& at = out.baselines[sv(total->coder).substr(0, total->coder.find(':'))];
      at = smaller(at, total);
      continue;
    }
    out.best = smaller(out.best, total);
    if (total->modes == "none" && total->transform == "identity" && total->order == "identity" &&
        total->approx == "none" && total->reference == "none") {
      out.none = smaller(out.none, total);
    }
  }
  for (const Total* total : out.series) {
    if (out.none != nullptr && total->control == "shuffled" && stages(*total) == stages(*out.none)) {
      out.shuffled_none = total;
    }
  }
  return out;
}

std::map<GroupKey, Shown> by_group(const Totals& totals) {
  std::map<GroupKey, std::vector<const Total*>> groups;
  for (const Total& total : totals.series) groups[{total.checkpoint, total.quantizer}].push_back(&total);
  std::map<GroupKey, Shown> out;
  for (auto& [key, series] : groups) out.emplace(key, show(std::move(series)));
  return out;
}

double value(const Total* total, double (SummaryRow::*of)() const noexcept) {
  return total == nullptr ? kNan : (total->*of)();
}

// headline and headline-ratio differ in the numbers alone.
Table headline_table(const Totals& totals, const std::map<GroupKey, Shown>& groups, bool ratio) {
  std::set<sv> libraries;
  for (const auto& [key, shown] : groups) {
    for (const auto& [library, total] : shown.baselines) libraries.insert(library);
  }
  Table table;
  table.columns = {text("checkpoint"), text("quantizer"), number("weights")};
  if (ratio) {
    table.name = "headline-ratio";
    table.title = "Compression ratio";
    table.columns.push_back(number("original bit/weight"));
    table.notes = {
        "Ratio = original bytes / coded bytes over all tensors shown. The original bytes are the symbols at their "
        "native "
        "width and the scales as stored (second column, in bits per weight); the coded bytes are all bytes written, "
        "scales included."};
  } else {
    table.name = "headline";
    table.title = "Bits per weight";
    for (const char* heading : {"H0", "GM bound", "none, symbols"}) table.columns.push_back(number(heading));
    table.notes = {
        "Bits per weight = 8 · coded bytes / weights: all bytes written, scales included. Without scales: H0, the "
        "order-0 entropy of the symbols; the Gaussian-mixture bound given row and column scale; and 'none, symbols', "
        "the coded bytes without scales, which can be compared with those two."};
  }
  for (const char* heading : {"none", "smallest"}) table.columns.push_back(number(heading));
  table.columns.push_back(text("smallest is"));
  table.columns.push_back(number("none, shuffled"));
  for (const sv library : libraries) table.columns.push_back(number(std::string(library)));
  table.notes.emplace_back(
      "none: the smallest codec without prediction; smallest: the smallest codec of all that were tried; none, "
      "shuffled: "
      "the stages of 'none' on the same symbols in random order. A baseline is the smallest of its settings.");
  const auto metric = ratio ? &SummaryRow::ratio : &SummaryRow::bpw;
  const auto print = [&](const Total* total) {
    return format_real(value(total, metric), ratio ? kRatioDigits : kBitDigits);
  };
  for (const auto& [key, shown] : groups) {
    Cells row{std::string(key.first), std::string(key.second), count(shown.any()->weights)};
    if (ratio) {
      row.push_back(bits(per_weight(shown.any()->original_bytes, *shown.any())));
    } else {
      const Total& bounds = shown.none != nullptr ? *shown.none : *shown.any();
      row.push_back(bits(bounds.h0_bpw));
      row.push_back(bits(bounds.gm_bpw));
      row.push_back(bits(value(shown.none, &SummaryRow::bpw_symbols)));
    }
    row.push_back(print(shown.none));
    row.push_back(print(shown.best));
    row.push_back(shown.best == nullptr ? "" : stages(*shown.best));
    row.push_back(print(shown.shuffled_none));
    for (const sv library : libraries) {
      const auto it = shown.baselines.find(library);
      row.push_back(print(it == shown.baselines.end() ? nullptr : it->second));
    }
    table.rows.push_back(std::move(row));
  }
  table.notes.insert(table.notes.end(), totals.notes.begin(), totals.notes.end());
  return table;
}

// The series that differs from `total` in control and modes alone.
const Total* sibling(const Shown& shown, const Total& total, sv control, sv modes) {
  for (const Total* other : shown.series) {
    if (other->control == control && other->modes == modes && other->role == total.role && other->tile == total.tile &&
        other->coder == total.coder && other->order == total.order && other->approx == total.approx &&
        other->reference == total.reference && other->transform == total.transform) {
      return other;
    }
  }
  return nullptr;
}

Table modes_table(const std::map<GroupKey, Shown>& groups) {
  Table table{
      "modes",
      "Bits per weight by mode set",
      {text("checkpoint"), text("quantizer"), text("tile"), text("coder"), text("modes"), number("coded"),
       number("coded, symbols"), number("H0"), number("residual H0"), number("residual H0 + modes"),
       number("cost of modes"), number("against none"), number("against none, shuffled")},
      {},
      {"Bits per weight. coded: all bytes, scales included. residual H0: order-0 entropy after prediction, tables "
       "not in it; + modes: with the entropy of the choice of mode; cost of modes: the bytes that choice takes. "
       "against "
       "none: coded, minus coded of 'none' with the same tile and coder; shuffled: the same difference on the "
       "symbols in random order, which is what the choice costs or gains without any structure."}};
  for (const auto& [key, shown] : groups) {
    for (const Total* total : shown.series) {
      if (total->role != "codec" || total->control != "original") continue;
      const Total* none = sibling(shown, *total, "original", "none");
      const Total* shuffled = sibling(shown, *total, "shuffled", total->modes);
      const Total* shuffled_none = sibling(shown, *total, "shuffled", "none");
      const auto difference = [](const Total* a, const Total* b) {
        return format_signed(value(a, &SummaryRow::bpw) - value(b, &SummaryRow::bpw), kBitDigits);
      };
      const std::string further = front_stages(total->order, total->approx, total->reference) +
                                  (total->transform == "identity" ? "" : " " + total->transform);
      table.rows.push_back({total->checkpoint, total->quantizer, total->tile, total->coder + further, total->modes,
                            bits(total->bpw()), bits(total->bpw_symbols()), bits(total->h0_bpw),
                            bits(total->residual_h0_bpw), bits(total->best_bpw),
                            bits(per_weight(total->ledger[LedgerEntry::mode], *total)), difference(total, none),
                            difference(shuffled, shuffled_none)});
    }
  }
  return table;
}

Table kinds_table(std::span<const SummaryRow> rows) {
  Table table{
      "kinds",
      "Bits per weight by kind of tensor",
      {text("checkpoint"), text("quantizer"), text("kind"), number("tensors"), number("weights"), number("H0"),
       number("GM bound"), number("none"), number("smallest"), text("smallest is"), number("ratio")},
      {},
      {"Columns as in the headline table, over the tensors of one kind; ratio: that of 'smallest', original bytes "
       "(symbols at native width and scales) / coded bytes."}};
  std::map<sv, std::vector<SummaryRow>> kinds;
  for (const SummaryRow& row : rows) kinds[row.kind].push_back(row);
  std::map<std::tuple<std::string, std::string, std::string>, Cells> lines;
  for (const auto& [kind, of_kind] : kinds) {
    const Totals totals = total_up(of_kind);
    for (const auto& [key, shown] : by_group(totals)) {
      const Total& bounds = shown.none != nullptr ? *shown.none : *shown.any();
      lines[{bounds.checkpoint, bounds.quantizer, std::string(kind)}] = {
          bounds.checkpoint,
          bounds.quantizer,
          std::string(kind),
          count(bounds.tensors),
          count(bounds.weights),
          bits(bounds.h0_bpw),
          bits(bounds.gm_bpw),
          bits(value(shown.none, &SummaryRow::bpw)),
          bits(value(shown.best, &SummaryRow::bpw)),
          shown.best == nullptr ? "" : stages(*shown.best),
          format_real(value(shown.best, &SummaryRow::ratio), kRatioDigits)};
    }
    table.notes.insert(table.notes.end(), totals.notes.begin(), totals.notes.end());
  }
  for (auto& [key, line] : lines) table.rows.push_back(std::move(line));
  return table;
}

Table ledger_table(const std::map<GroupKey, Shown>& groups) {
  Table table{"ledger",
              "Where the bytes went",
              {text("checkpoint"), text("quantizer"), text("stages"), number("coded bytes")},
              {},
              {"Per cent of the coded bytes, for the smallest codec without prediction and the smallest of all."}};
  for (const sv column : kLedgerColumns) {
    table.columns.push_back(number(std::string(column.substr(0, column.find('_'))) + " %"));
  }
  for (const auto& [key, shown] : groups) {
    std::set<const Total*> done{nullptr};
    for (const Total* total : {shown.none, shown.best}) {
      if (!done.insert(total).second) continue;
      Cells row{total->checkpoint, total->quantizer, stages(*total), count(total->coded_bytes)};
      for (const u64 bytes : total->ledger.bytes) {
        row.push_back(format_real(100.0 * static_cast<double>(bytes) / static_cast<double>(total->coded_bytes), 3));
      }
      table.rows.push_back(std::move(row));
    }
  }
  return table;
}

// Speeds of one choice of stages over the timed tensors of a checkpoint: all bytes over the sum of the median times.
struct SpeedSum {
  double bytes = 0, encode_seconds = 0, decode_seconds = 0;
  u64 tensors = 0, weights = 0, warnings = 0;
  int threads = 0;

  void add(const TimingRow& row) {
    bytes += static_cast<double>(row.symbol_bytes);
    encode_seconds += static_cast<double>(row.symbol_bytes) / row.encode.median;
    decode_seconds += static_cast<double>(row.symbol_bytes) / row.decode.median;
    ++tensors;
    weights += row.weights;
    warnings += !row.warning.empty();
    threads = row.threads;
  }
  std::string encode() const { return speed(encode_seconds); }
  std::string decode() const { return speed(decode_seconds); }

 private:
  std::string speed(double seconds) const { return format_real(seconds > 0 ? bytes / seconds : kNan, kSpeedDigits); }
};
using SpeedKey =
    std::tuple<std::string, std::string, std::string, std::string>;  // checkpoint, quantizer, stages, device
using Speeds = std::map<SpeedKey, SpeedSum>;

Speeds sum_speeds(std::span<const TimingRow> timings) {
  Speeds speeds;
  for (const TimingRow& row : timings) {
    speeds[{row.checkpoint, row.quantizer, stages(row), row.device}].add(row);
  }
  return speeds;
}

Table baselines_table(const std::map<GroupKey, Shown>& groups, const Speeds& speeds) {
  Table table{"baselines",
              "General-purpose compressors beside the codec",
              {text("checkpoint"), text("quantizer"), text("stages"), text("role"), number("ratio"),
               number("ratio, symbols"), number("bit/weight")},
              {},
              {"Ratio = original bytes (symbols at native width and scales) / coded bytes, scales included; ratio, "
               "symbols: without scales on either side. The codec's rows are its smallest without prediction and its "
               "smallest of all."}};
  if (!speeds.empty()) {
    table.columns.push_back(number("encode MB/s"));
    table.columns.push_back(number("decode MB/s"));
    table.notes.emplace_back(
        "MB/s: 10^6 bytes of symbols at native width a second on the CPU, over the tensors that were timed.");
  }
  for (const auto& [key, shown] : groups) {
    std::vector<const Total*> lines;
    for (const Total* total : shown.series) {
      if (total->role == "baseline" && total->control == "original") lines.push_back(total);
    }
    if (lines.empty()) continue;
    if (shown.none != nullptr) lines.push_back(shown.none);
    if (shown.best != shown.none) lines.push_back(shown.best);
    std::stable_sort(lines.begin(), lines.end(),
                     [](const Total* a, const Total* b) { return a->coded_bytes < b->coded_bytes; });
    for (const Total* total : lines) {
      Cells row{total->checkpoint,
                total->quantizer,
                stages(*total),
                total->role,
                format_real(total->ratio(), kRatioDigits),
                format_real(total->ratio_symbols(), kRatioDigits),
                bits(total->bpw())};
      if (!speeds.empty()) {
        const auto it = speeds.find({total->checkpoint, total->quantizer, stages(*total), "cpu"});
        row.push_back(it == speeds.end() ? "" : it->second.encode());
        row.push_back(it == speeds.end() ? "" : it->second.decode());
      }
      table.rows.push_back(std::move(row));
    }
  }
  return table;
}

Table speeds_table(const Speeds& speeds) {
  Table table{"speeds",
              "Speed",
              {text("checkpoint"), text("quantizer"), text("stages"), text("device"), number("threads"),
               number("tensors"), number("weights"), number("encode MB/s"), number("decode MB/s"), number("warnings")},
              {},
              {"MB/s: 10^6 bytes of symbols at native width a second; all bytes over the sum of the tensors' median "
               "times. warnings: tensors whose quartiles lie over 10 % apart or that were throttled; quartiles are in "
               "timings.csv."}};
  for (const auto& [key, sum] : speeds) {
    const auto& [checkpoint, quantizer, stages_text, device] = key;
    table.rows.push_back({checkpoint, quantizer, stages_text, device, std::to_string(sum.threads), count(sum.tensors),
                          count(sum.weights), sum.encode(), sum.decode(), count(sum.warnings)});
  }
  return table;
}

}  // namespace

std::vector<Table> result_tables(std::span<const SummaryRow> rows, std::span<const TimingRow> timings,
                                 std::span<const VerdictRow> verdicts) {
  const Totals totals = total_up(rows);
  const auto groups = by_group(totals);
  const Speeds speeds = sum_speeds(timings);
  std::vector<Table> tables{headline_table(totals, groups, false),
                            headline_table(totals, groups, true),
                            modes_table(groups),
                            kinds_table(rows),
                            ledger_table(groups),
                            baselines_table(groups, speeds)};
  if (!speeds.empty()) tables.push_back(speeds_table(speeds));
  for (Table& table : verdict_tables(verdicts)) tables.push_back(std::move(table));
  return tables;
}

}  // namespace wcodec
