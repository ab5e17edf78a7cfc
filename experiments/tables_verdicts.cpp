#include "experiments/tables_verdicts.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "experiments/many_comparisons.hpp"

namespace wcodec {
namespace {

constexpr int kBitDigits = 4;
constexpr double kLeastPrinted = 0.0001;

TableColumn text(std::string heading) { return {std::move(heading), Align::left}; }
TableColumn number(std::string heading) { return {std::move(heading), Align::right}; }
std::string bits(double value) { return format_signed(value, kBitDigits); }

std::string interval(const Interval& range) {
  return range.known() ? bits(range.lo) + " to " + bits(range.hi) : std::string();
}

std::string probability(double p) {
  return p < kLeastPrinted ? fmt::format("<{}", kLeastPrinted) : format_real(p, kBitDigits);
}

// The stages of a candidate that are not the quantizer's; the compared one is among them.
std::string choice(const VerdictRow& row) {
  std::string out = row.modes + " " + row.tile + " " + row.coder;
  out += front_stages(row.order, row.approx, row.reference);
  if (row.transform != "identity") out += " " + row.transform;
  if (!row.device.empty()) out += " " + row.device;
  return out;
}

std::string margins(std::span<const VerdictRow> verdicts) {
  std::set<double> values;
  for (const VerdictRow& row : verdicts) values.insert(row.comparison.margin);
  std::string out;
  for (const double value : values) out += fmt::format("{}±{}", out.empty() ? "" : ", ", value);
  return out;
}

std::string about_correction() {
  return fmt::format(
      "A word stands where the 95 % interval concludes and p, corrected for the number of comparisons of its family "
      "(Holm), is at most {}; q is the share of wrong ones to expect among conclusions at least as sure (Benjamini and "
      "Hochberg). Families: verdict and bytes apart, whole models and single kinds apart. Intervals are each "
      "comparison's "
      "own.",
      kSignificance);
}

Table whole_models(std::span<const VerdictRow> verdicts) {
  Table table{"verdicts",
              "Verdicts over all kinds of tensors",
              {text("scope"),
               text("checkpoint"),
               text("quantizer"),
               text("tile"),
               text("coder"),
               text("modes"),
               text("against"),
               text("statistic"),
               number("tensors"),
               number("effect"),
               number("95 % interval"),
               number("shuffled"),
               number("gaussian"),
               number("net"),
               number("95 % interval of net"),
               number("p of net, Holm"),
               number("q of net"),
               text("verdict"),
               number("p of effect, Holm"),
               text("bytes")},
              {},
              {}};
  for (const VerdictRow& row : verdicts) {
    if (row.kind != "all") continue;
    const std::string further =
        front_stages(row.order, row.approx, row.reference) + (row.transform == "identity" ? "" : " " + row.transform);
    table.rows.push_back({row.scope,
                          row.checkpoint,
                          row.quantizer,
                          row.tile,
                          row.coder + further,
                          row.modes + (row.device.empty() ? "" : " " + row.device),
                          row.comparison.factor + "=" + row.comparison.against,
                          row.comparison.statistic,
                          std::to_string(row.tensors),
                          bits(row.effect.effect),
                          interval(row.effect.interval),
                          bits(row.shuffled_effect),
                          bits(row.gaussian_effect),
                          bits(row.net.effect),
                          interval(row.net.interval),
                          probability(row.net_sure.holm),
                          probability(row.net_sure.q),
                          std::string(to_string(row.verdict)),
                          probability(row.effect_sure.holm),
                          std::string(to_string(row.bytes_verdict))});
  }
  table.notes = {
      fmt::format("Bits per weight, negative = smaller; margin {} bit/weight. net: effect minus the effect on the "
                  "shuffled control. verdict: from net, is there structure that helps; bytes: from the effect alone, "
                  "does the file get smaller. No interval: fewer than {} tensors, or families when pooled.",
                  margins(verdicts), kMinUnits),
      fmt::format("{} comparisons were made, {} of them over all kinds and shown here. {}", verdicts.size(),
                  table.rows.size(), about_correction())};
  return table;
}

// Comparisons of one model, kind, dtype, quantizer and factor.
struct Group {
  const VerdictRow* least = nullptr;  // with the smallest effect
  u64 count = 0;
  std::array<u64, 4> verdict{}, bytes{};

  void add(const VerdictRow& row) {
    if (least == nullptr || row.effect.effect < least->effect.effect) least = &row;
    ++count;
    ++verdict[static_cast<std::size_t>(row.verdict)];
    ++bytes[static_cast<std::size_t>(row.bytes_verdict)];
  }
};

std::string tally(const std::array<u64, 4>& counts) {
  return fmt::format("{} / {} / {} / {}", counts[0], counts[1], counts[2], counts[3]);
}

Table by_kind(std::span<const VerdictRow> verdicts) {
  Table table{"verdict-kinds",
              "Verdicts by model, kind of tensor and dtype",
              {text("checkpoint"),       text("kind"),       text("dtype"),       text("quantizer"),
               text("against"),          number("tensors"),  number("weights"),   number("choices"),
               text("structure"),        text("bytes"),      text("smallest is"), number("effect"),
               number("95 % interval"),  number("shuffled"), number("net"),       number("95 % interval of net"),
               number("p of net, Holm"), number("q of net"), text("its verdict"), text("its bytes")},
              {},
              {}};
  std::map<std::tuple<sv, sv, sv, sv, sv, sv>, Group> groups;
  for (const VerdictRow& row : verdicts) {
    if (row.kind == "all" || row.scope != "checkpoint") continue;
    // Quantizers that are themselves compared do not make groups.
    const sv quantizer = row.comparison.factor == "quantizer" ? sv() : sv(row.quantizer);
    groups[{row.checkpoint, row.kind, row.dtype, quantizer, row.comparison.factor, row.comparison.against}].add(row);
  }
  for (const auto& [key, group] : groups) {
    const VerdictRow& row = *group.least;
    table.rows.push_back({row.checkpoint,
                          row.kind,
                          row.dtype,
                          row.quantizer,
                          row.comparison.factor + "=" + row.comparison.against,
                          std::to_string(row.tensors),
                          std::to_string(row.weights),
                          std::to_string(group.count),
                          tally(group.verdict),
                          tally(group.bytes),
                          choice(row),
                          bits(row.effect.effect),
                          interval(row.effect.interval),
                          bits(row.shuffled_effect),
                          bits(row.net.effect),
                          interval(row.net.interval),
                          probability(row.net_sure.holm),
                          probability(row.net_sure.q),
                          std::string(to_string(row.verdict)),
                          std::string(to_string(row.bytes_verdict))});
  }
  table.notes = {
      fmt::format(
          "structure and bytes: of the choices compared, how many help / have no effect / hurt / are "
          "inconclusive, margin {} bit/weight; structure is net of the shuffled control. 'smallest is' has the "
          "smallest effect of them and is therefore picked in its own favour. A kind with fewer than {} tensors "
          "has no interval and is inconclusive.",
          margins(verdicts), kMinUnits),
      about_correction()};
  return table;
}

}  // namespace

std::vector<Table> verdict_tables(std::span<const VerdictRow> verdicts) {
  if (verdicts.empty()) return {};
  return {whole_models(verdicts), by_kind(verdicts)};
}

}  // namespace wcodec
