#include "experiments/verdict.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "core/error.hpp"
#include "core/spec.hpp"
#include "experiments/csv.hpp"
#include "experiments/many_comparisons.hpp"

namespace wcodec {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

using Statistic = double (*)(const SummaryRow&);
struct NamedStatistic {
  sv name;
  Statistic of;
};
constexpr NamedStatistic kStatistics[] = {
    {"bpw", [](const SummaryRow& row) { return row.bpw(); }},
    {"bpw_symbols", [](const SummaryRow& row) { return row.bpw_symbols(); }},
    {"h0_bpw", [](const SummaryRow& row) { return row.h0_bpw; }},
    {"residual_h0_bpw", [](const SummaryRow& row) { return row.residual_h0_bpw; }},
    {"best_bpw", [](const SummaryRow& row) { return row.best_bpw; }},
    {"gm_bpw", [](const SummaryRow& row) { return row.gm_bpw; }},
};

Statistic statistic_named(sv name) {
  std::vector<sv> known;
  for (const NamedStatistic& statistic : kStatistics) {
    if (statistic.name == name) return statistic.of;
    known.push_back(statistic.name);
  }
  throw Error(ErrorKind::config, "compare: " + unknown_name("statistic", name, known));
}

std::size_t factor_named(sv name) {
  const auto it = std::find(kAxisNames.begin(), kAxisNames.end(), name);
  if (it == kAxisNames.end()) throw Error(ErrorKind::config, "compare: " + unknown_name("factor", name, kAxisNames));
  return static_cast<std::size_t>(it - kAxisNames.begin());
}

// Values of the axes, in the order of Axis.
using Stages = std::array<sv, kAxes>;

Stages stages_of(const SummaryRow& row, std::size_t factor) {
  const bool device = factor == static_cast<std::size_t>(Axis::device);
  return {row.quantizer, row.order,     row.approx, row.tile,
          row.modes,     row.transform, row.coder,  device ? sv(row.device) : sv(),
          row.reference};
}

using CellKey = std::tuple<sv, sv, sv, Stages>;  // checkpoint, tensor, control, stages
using CellIndex = std::map<CellKey, const SummaryRow*>;

CellIndex index_cells(std::span<const SummaryRow> rows, std::size_t factor) {
  CellIndex index;
  for (const SummaryRow& row : rows) {
    const CellKey key{row.checkpoint, row.tensor, row.control, stages_of(row, factor)};
    const auto [at, added] = index.try_emplace(key, &row);
    // Equal cells on two devices: the smaller name, so that the order of rows does not matter.
    if (!added && row.sort_key() < at->second->sort_key()) at->second = &row;
  }
  return index;
}

const SummaryRow* find(const CellIndex& index, const CellKey& key) {
  const auto it = index.find(key);
  return it == index.end() ? nullptr : it->second;
}

// One tensor's deltas, candidate − reference; NaN where a control is missing.
struct Delta {
  double weight = 0, original = kNan, shuffled = kNan, shuffled_rows = kNan, gaussian = kNan;
  std::string dtype = {};
};

class Pairing {
 public:
  Pairing(const CellIndex& index, std::size_t factor, sv against, Statistic statistic)
      : index_(index), factor_(factor), against_(against), statistic_(statistic) {}

  Delta delta(const CellKey& candidate) const {
    Delta out;
    out.original = difference(candidate, "original");
    out.shuffled = difference(candidate, "shuffled");
    out.shuffled_rows = difference(candidate, "shuffled-rows");
    out.gaussian = difference(candidate, "gaussian");
    return out;
  }

 private:
  double difference(CellKey key, sv control) const {
    std::get<2>(key) = control;
    const SummaryRow* candidate = find(index_, key);
    const SummaryRow* reference = candidate == nullptr ? nullptr : reference_of(key);
    return reference == nullptr ? kNan : statistic_(*candidate) - statistic_(*reference);
  }

  const SummaryRow* reference_of(CellKey key) const {
    Stages& stages = std::get<3>(key);
    stages[factor_] = against_;
    const SummaryRow* reference = find(index_, key);
    if (reference != nullptr || factor_ != static_cast<std::size_t>(Axis::coder)) return reference;
    stages[static_cast<std::size_t>(Axis::tile)] = stages[static_cast<std::size_t>(Axis::modes)] = sv();
    stages[static_cast<std::size_t>(Axis::transform)] = stages[static_cast<std::size_t>(Axis::order)] = "identity";
    stages[static_cast<std::size_t>(Axis::approx)] = stages[static_cast<std::size_t>(Axis::reference)] = "none";
    reference = find(index_, key);
    return reference != nullptr && reference->role == "baseline" ? reference : nullptr;
  }

  const CellIndex& index_;
  std::size_t factor_;
  sv against_;
  Statistic statistic_;
};

struct CheckpointDeltas {
  sv family;
  std::vector<Delta> deltas;
};
using Setting = std::tuple<Stages, sv, std::string>;                 // the candidate's stages, kind, dtype of symbols
using Settings = std::map<Setting, std::map<sv, CheckpointDeltas>>;  // … by checkpoint

Settings pair_up(const CellIndex& index, const Pairing& pairing, std::size_t factor, sv against) {
  Settings settings;
  for (const auto& [key, row] : index) {
    const auto& [checkpoint, tensor, control, stages] = key;
    if (control != "original" || stages[factor] == against || row->weights == 0) continue;
    // What a baseline lacks cannot be compared, and what it has but its coder is no choice of stage.
    if (row->role == "baseline" && factor != static_cast<std::size_t>(Axis::coder)) continue;
    Delta delta = pairing.delta(key);
    if (std::isnan(delta.original)) continue;
    delta.weight = static_cast<double>(row->weights);
    delta.dtype = symbol_dtype(*row);
    for (const sv kind : {sv("all"), sv(row->kind)}) {
      CheckpointDeltas& group = settings[{stages, kind, kind == "all" ? std::string() : delta.dtype}][checkpoint];
      group.family = row->family;
      group.deltas.push_back(delta);
    }
  }
  return settings;
}

std::vector<Weighted> effects(const std::vector<Delta>& deltas) {
  std::vector<Weighted> units;
  for (const Delta& delta : deltas) units.push_back({delta.original, delta.weight});
  return units;
}

std::vector<Weighted> nets(const std::vector<Delta>& deltas) {
  std::vector<Weighted> units;
  for (const Delta& delta : deltas) {
    if (!std::isnan(delta.shuffled)) units.push_back({delta.original - delta.shuffled, delta.weight});
  }
  return units;
}

double control_effect(const std::vector<Delta>& deltas, double Delta::*control) {
  std::vector<Weighted> units;
  for (const Delta& delta : deltas) {
    if (!std::isnan(delta.*control)) units.push_back({delta.*control, delta.weight});
  }
  return weighted_mean(units);
}

bool controlled(const std::vector<Delta>& deltas) {
  double all = 0, with = 0;
  for (const Delta& delta : deltas) {
    all += delta.weight;
    if (!std::isnan(delta.shuffled)) with += delta.weight;
  }
  return with > 0 && with >= kControlCover * all;
}

// All of a row but the estimates.
VerdictRow describe(const Comparison& comparison, const Setting& setting, const std::vector<Delta>& deltas) {
  const auto& [stages, kind, dtype] = setting;
  VerdictRow row;
  row.comparison = comparison;
  row.kind = kind;
  row.dtype = deltas.front().dtype;
  for (const Delta& delta : deltas) {
    if (delta.dtype != row.dtype) row.dtype = "mixed";
  }
  std::string* const fields[] = {&row.quantizer, &row.order, &row.approx, &row.tile,     &row.modes,
                                 &row.transform, &row.coder, &row.device, &row.reference};
  for (std::size_t axis = 0; axis < kAxes; ++axis) *fields[axis] = stages[axis];
  row.tensors = deltas.size();
  for (const Delta& delta : deltas) row.weights += static_cast<u64>(delta.weight);
  row.shuffled_effect = control_effect(deltas, &Delta::shuffled);
  row.shuffled_rows_effect = control_effect(deltas, &Delta::shuffled_rows);
  row.gaussian_effect = control_effect(deltas, &Delta::gaussian);
  return row;
}

// The words, from the intervals alone.
void conclude(VerdictRow& row) {
  row.alone = judge(row.net.interval, row.comparison.margin);
  row.bytes_alone = judge(row.effect.interval, row.comparison.margin);
  row.net_sure.p = row.net.p;
  row.effect_sure.p = row.effect.p;
}

void correct(std::vector<VerdictRow*>& family, Significance VerdictRow::*sure) {
  std::vector<double> p;
  for (const VerdictRow* row : family) p.push_back((row->*sure).p);
  const std::vector<double> adjusted = holm(p), q = benjamini_hochberg(p);
  for (std::size_t i = 0; i < family.size(); ++i) {
    (family[i]->*sure).holm = adjusted[i];
    (family[i]->*sure).q = q[i];
  }
}

// The words that stand among all the others.
void correct_for_their_number(std::vector<VerdictRow>& rows) {
  std::vector<VerdictRow*> whole, by_kind;
  for (VerdictRow& row : rows) (row.kind == "all" ? whole : by_kind).push_back(&row);
  for (auto* family : {&whole, &by_kind}) {
    correct(*family, &VerdictRow::net_sure);
    correct(*family, &VerdictRow::effect_sure);
  }
  const auto standing = [](Verdict alone, const Significance& sure) {
    return sure.holm <= kSignificance ? alone : Verdict::inconclusive;
  };
  for (VerdictRow& row : rows) {
    row.verdict = standing(row.alone, row.net_sure);
    row.bytes_verdict = standing(row.bytes_alone, row.effect_sure);
    // Losing less than the control loses is structure, but it helps nobody: the file has to get smaller as well.
    if (row.verdict == Verdict::helps) row.verdict = row.bytes_verdict;
    if (row.alone == Verdict::helps) row.alone = row.bytes_alone;
  }
}

VerdictRow of_checkpoint(const Comparison& comparison, const Setting& setting, sv checkpoint,
                         const std::vector<Delta>& deltas, Bootstrap& bootstrap) {
  VerdictRow row = describe(comparison, setting, deltas);
  row.scope = "checkpoint";
  row.checkpoint = checkpoint;
  row.checkpoints = row.families = 1;
  row.effect = bootstrap.mean(effects(deltas), comparison.margin);
  if (controlled(deltas)) row.net = bootstrap.mean(nets(deltas), comparison.margin);
  conclude(row);
  return row;
}

VerdictRow of_all(const Comparison& comparison, const Setting& setting,
                  const std::map<sv, CheckpointDeltas>& checkpoints, Bootstrap& bootstrap) {
  std::vector<Delta> all;
  std::vector<ClusterOfUnits> raw, net;
  std::set<sv> families;
  for (const auto& [name, checkpoint] : checkpoints) {
    all.insert(all.end(), checkpoint.deltas.begin(), checkpoint.deltas.end());
    raw.push_back({std::string(checkpoint.family), effects(checkpoint.deltas)});
    net.push_back({std::string(checkpoint.family), nets(checkpoint.deltas)});
    families.insert(checkpoint.family);
  }
  VerdictRow row = describe(comparison, setting, all);
  row.scope = "pooled";
  row.checkpoint = "all";
  row.checkpoints = checkpoints.size();
  row.families = families.size();
  row.effect = bootstrap.pooled(raw, comparison.margin);
  if (controlled(all)) row.net = bootstrap.pooled(net, comparison.margin);
  conclude(row);
  return row;
}

auto sort_key(const VerdictRow& row) {
  return std::tie(row.scope, row.checkpoint, row.kind, row.dtype, row.quantizer, row.tile, row.coder, row.modes,
                  row.order, row.approx, row.reference, row.transform, row.device);
}

std::string modes_cell(const VerdictRow& row) {
  std::string text = row.modes + front_stages(row.order, row.approx, row.reference, ";");
  if (row.transform != "identity") text += ";transform=" + row.transform;
  if (!row.device.empty()) text += ";device=" + row.device;
  return text;
}

constexpr sv kColumns[] = {"scope",
                           "checkpoint",
                           "kind",
                           "dtype",
                           "quantizer",
                           "tile",
                           "coder",
                           "modes",
                           "against",
                           "statistic",
                           "tensors",
                           "weights",
                           "effect",
                           "effect_lo",
                           "effect_hi",
                           "bytes_p",
                           "bytes_p_holm",
                           "bytes_q",
                           "shuffled_effect",
                           "shuffled_rows_effect",
                           "gaussian_effect",
                           "net",
                           "net_lo",
                           "net_hi",
                           "p",
                           "p_holm",
                           "q",
                           "verdict",
                           "bytes_verdict"};

void add_significance(CsvWriter& csv, const Significance& sure) { csv.cell(sure.p).cell(sure.holm).cell(sure.q); }

}  // namespace

Verdict judge(const Interval& interval, double margin) noexcept {
  if (!interval.known()) return Verdict::inconclusive;
  if (interval.hi < -margin) return Verdict::helps;
  if (interval.lo > margin) return Verdict::hurts;
  if (interval.lo >= -margin && interval.hi <= margin) return Verdict::no_effect;
  return Verdict::inconclusive;
}

std::string symbol_dtype(const SummaryRow& row) {
  std::string name = row.quantizer.substr(0, row.quantizer.find(':'));
  if (name == "lossless") return row.dtype;
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return name;
}

const std::string& VerdictRow::candidate() const {
  const std::string* const fields[] = {&quantizer, &order, &approx, &tile,     &modes,
                                       &transform, &coder, &device, &reference};
  return *fields[factor_named(comparison.factor)];
}

std::vector<VerdictRow> compare(std::span<const SummaryRow> rows, std::span<const Comparison> comparisons,
                                const BootstrapOptions& options) {
  std::vector<VerdictRow> out;
  Bootstrap bootstrap(options);
  for (const Comparison& comparison : comparisons) {
    const std::size_t factor = factor_named(comparison.factor);
    const CellIndex index = index_cells(rows, factor);
    const Pairing pairing(index, factor, comparison.against, statistic_named(comparison.statistic));
    const std::size_t first = out.size();
    for (const auto& [setting, checkpoints] : pair_up(index, pairing, factor, comparison.against)) {
      for (const auto& [name, checkpoint] : checkpoints) {
        out.push_back(of_checkpoint(comparison, setting, name, checkpoint.deltas, bootstrap));
      }
      if (checkpoints.size() > 1) out.push_back(of_all(comparison, setting, checkpoints, bootstrap));
    }
    std::sort(out.begin() + static_cast<std::ptrdiff_t>(first), out.end(),
              [](const VerdictRow& a, const VerdictRow& b) { return sort_key(a) < sort_key(b); });
  }
  correct_for_their_number(out);
  return out;
}

std::string verdicts_csv(std::span<const VerdictRow> rows) {
  CsvWriter csv(kColumns);
  for (const VerdictRow& row : rows) {
    csv.cell(row.scope).cell(row.checkpoint).cell(row.kind).cell(row.dtype);
    csv.cell(row.quantizer).cell(row.tile).cell(row.coder);
    csv.cell(sv(modes_cell(row))).cell(row.comparison.against).cell(row.comparison.statistic);
    csv.cell(row.tensors).cell(row.weights);
    csv.cell(row.effect.effect).cell(row.effect.interval.lo).cell(row.effect.interval.hi);
    add_significance(csv, row.effect_sure);
    csv.cell(row.shuffled_effect).cell(row.shuffled_rows_effect).cell(row.gaussian_effect);
    csv.cell(row.net.effect).cell(row.net.interval.lo).cell(row.net.interval.hi);
    add_significance(csv, row.net_sure);
    csv.cell(to_string(row.verdict)).cell(to_string(row.bytes_verdict));
    csv.end_row();
  }
  return csv.text();
}

}  // namespace wcodec
