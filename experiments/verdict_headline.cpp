#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "experiments/tables.hpp"
#include "experiments/verdict.hpp"

namespace wcodec {
namespace {

constexpr int kDigits = 3;
constexpr u64 kLargeModel = 1'000'000'000;  // weights; below, a model is called small
constexpr std::size_t kGroupsShown = 4;     // best candidates shown, one a checkpoint and quantizer

std::string plural(u64 count, sv noun) { return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s"); }

std::string estimate(double effect, const Interval& interval) {
  const std::string value = format_signed(effect, kDigits);
  if (!interval.known()) return value + " bit/weight [no interval]";
  return fmt::format("{} bit/weight [{}, {}]", value, format_signed(interval.lo, kDigits),
                     format_signed(interval.hi, kDigits));
}

// The stages of a candidate, the compared one first.
std::string name_of(const VerdictRow& row) {
  std::string text = row.candidate();
  for (const std::string* stage : {&row.modes, &row.tile, &row.coder}) {
    if (stage != &row.candidate() && !stage->empty()) text += " " + *stage;
  }
  const sv factor = row.comparison.factor;
  text +=
      front_stages(factor == "order" ? sv("identity") : sv(row.order), factor == "approx" ? sv("none") : sv(row.approx),
                   factor == "reference" ? sv("none") : sv(row.reference));
  if (row.transform != "identity" && factor != "transform") text += " " + row.transform;
  return text;
}

sv bytes_words(Verdict verdict) {
  constexpr sv kWords[] = {"smaller", "the same", "larger", "inconclusive"};
  return kWords[static_cast<std::size_t>(verdict)];
}

std::string sentence(const VerdictRow& row) {
  const std::string who = row.scope == "pooled" ? fmt::format("all {} models", row.checkpoints) : row.checkpoint;
  const std::string quantizer = row.comparison.factor == "quantizer" ? "" : ", " + row.quantizer;
  const std::string control = std::isnan(row.shuffled_effect)
                                  ? "no shuffled control"
                                  : "shuffled control " + format_signed(row.shuffled_effect, kDigits);
  const std::string net =
      row.net.interval.known()
          ? fmt::format("; net {} [{}, {}]", format_signed(row.net.effect, kDigits),
                        format_signed(row.net.interval.lo, kDigits), format_signed(row.net.interval.hi, kDigits))
          : std::string();
  return fmt::format("{}{}: {} against {}: {} ({}{}): {}; bytes: {}.", who, quantizer, name_of(row),
                     row.comparison.against, estimate(row.effect.effect, row.effect.interval), control, net,
                     to_string(row.verdict), bytes_words(row.bytes_verdict));
}

bool same(const Comparison& a, const Comparison& b) {
  return std::tie(a.factor, a.against, a.statistic, a.margin) == std::tie(b.factor, b.against, b.statistic, b.margin);
}

using Rows = std::vector<const VerdictRow*>;

bool less_effect(const VerdictRow* a, const VerdictRow* b) { return a->effect.effect < b->effect.effect; }

std::array<u64, 4> tally(const Rows& rows, Verdict VerdictRow::*verdict) {
  std::array<u64, 4> counts{};
  for (const VerdictRow* row : rows) ++counts[static_cast<std::size_t>(row->*verdict)];
  return counts;
}

// What stood before the correction and does not after it.
std::string lost(const Rows& rows) {
  const auto fallen = std::count_if(rows.begin(), rows.end(), [](const VerdictRow* row) {
    return (row->alone != Verdict::inconclusive && row->verdict == Verdict::inconclusive) ||
           (row->bytes_alone != Verdict::inconclusive && row->bytes_verdict == Verdict::inconclusive);
  });
  if (fallen == 0) return {};
  return fmt::format(" {} concluded more by their own intervals than stands after the correction for their number.",
                     plural(static_cast<u64>(fallen), "comparison"));
}

// The answer in a sentence, and the same for bytes.
std::string answer(const Comparison& comparison, const Rows& rows) {
  const auto [helps, none, hurts, open] = tally(rows, &VerdictRow::verdict);
  const auto [smaller, same, larger, unknown] = tally(rows, &VerdictRow::bytes_verdict);
  std::string verdict;
  if (helps > 0) {
    verdict = fmt::format("{} of {} show that it helps", helps, plural(rows.size(), "comparison"));
  } else if (open == 0) {
    verdict = fmt::format("none of {} shows that it helps", plural(rows.size(), "comparison"));
  } else if (open == rows.size()) {
    verdict = fmt::format("undecided: {} and no conclusion", plural(rows.size(), "comparison"));
  } else {
    verdict = fmt::format("none of {} shows that it helps, and {} cannot exclude it", plural(rows.size(), "comparison"),
                          open);
  }
  return fmt::format(
      "{} against {}: {} ({} no effect, {} hurt, {} inconclusive; {}, net of the shuffled control, margin ±{} "
      "bit/weight). By bytes alone {} get smaller, {} larger, {} neither, {} inconclusive.{}",
      comparison.factor, comparison.against, verdict, none, hurts, open, comparison.statistic, comparison.margin,
      smaller, larger, same, unknown, lost(rows));
}

// One comparison of the experiment: its answer, the best of each checkpoint and quantizer (the least and the greatest
// of them if they are many), and what costs most.
void add_comparison(const Comparison& comparison, const Rows& models, const Rows& pooled,
                    std::vector<std::string>& out) {
  out.push_back(answer(comparison, models));
  std::map<std::pair<sv, sv>, const VerdictRow*> best_of;
  for (const VerdictRow* row : models) {
    // Quantizers that are themselves compared do not make groups.
    const sv quantizer = comparison.factor == "quantizer" ? sv() : sv(row->quantizer);
    const VerdictRow*& best = best_of[{row->checkpoint, quantizer}];
    if (best == nullptr || less_effect(row, best)) best = row;
  }
  Rows best;
  for (const auto& [key, row] : best_of) best.push_back(row);
  std::stable_sort(best.begin(), best.end(), less_effect);
  std::set<const VerdictRow*> said;
  for (std::size_t i = 0; i < best.size(); ++i) {
    if (i + 1 >= kGroupsShown && i + 1 < best.size()) continue;
    out.push_back("Best of " + sentence(*best[i]));
    said.insert(best[i]);
  }
  if (best.size() > kGroupsShown) {
    out.back() += fmt::format(" ({} more lie between.)", best.size() - kGroupsShown);
  }
  const VerdictRow* worst = *std::max_element(models.begin(), models.end(), less_effect);
  if (!said.contains(worst)) out.push_back("Largest: " + sentence(*worst));
  if (!pooled.empty()) {
    const VerdictRow* least = *std::min_element(pooled.begin(), pooled.end(), less_effect);
    std::string text = "Pooled, best of " + sentence(*least);
    if (least->families < kMinUnits) {
      text += fmt::format(" ({}; an interval needs {}.)",
                          least->families == 1 ? "1 family" : fmt::format("{} families", least->families), kMinUnits);
    }
    out.push_back(std::move(text));
  }
}

// What bounds every sentence before it.
void add_limits(const Rows& models, std::size_t comparisons, std::vector<std::string>& out) {
  std::map<sv, u64> weights;
  std::set<sv> without_control, few;
  for (const VerdictRow* row : models) {
    u64& most = weights[row->checkpoint];
    most = std::max(most, row->weights);
    if (std::isnan(row->net.effect)) without_control.insert(row->checkpoint);
    if (row->tensors < kMinUnits) few.insert(row->checkpoint);
  }
  u64 least = ~u64{0}, most = 0;
  for (const auto& [name, count] : weights) {
    least = std::min(least, count);
    most = std::max(most, count);
  }
  const sv size = most < kLargeModel ? "small " : "";
  const std::string range = least == most ? format_short(most) : format_short(least) + " to " + format_short(most);
  std::string measured =
      fmt::format("Measured on {} ({} weights compared)", plural(weights.size(), fmt::format("{}model", size)), range);
  measured += most < kLargeModel ? ": no claim about large models." : ".";
  out.push_back(
      measured +
      fmt::format(" {} in all; verdicts are corrected for their number (Holm, over all kinds and by kind apart).",
                  plural(comparisons, "comparison")));
  if (!without_control.empty()) {
    out.push_back(fmt::format("Without a shuffled control on {}: whether structure helps is inconclusive there.",
                              fmt::join(without_control, ", ")));
  }
  if (!few.empty()) {
    out.push_back(
        fmt::format("Fewer than {} tensors in {}: no interval, inconclusive.", kMinUnits, fmt::join(few, ", ")));
  }
}

}  // namespace

std::vector<std::string> headline(std::span<const VerdictRow> rows) {
  std::vector<std::string> out;
  Rows all_models;
  // Rows of one comparison are neighbours.
  for (std::size_t first = 0; first < rows.size();) {
    const Comparison& comparison = rows[first].comparison;
    Rows models, pooled;
    for (; first < rows.size() && same(rows[first].comparison, comparison); ++first) {
      if (rows[first].kind == "all") (rows[first].scope == "pooled" ? pooled : models).push_back(&rows[first]);
    }
    if (models.empty()) continue;
    add_comparison(comparison, models, pooled, out);
    all_models.insert(all_models.end(), models.begin(), models.end());
  }
  if (all_models.empty()) {
    return {"Nothing was compared: no tensor has finished both with the reference and with another choice."};
  }
  add_limits(all_models, rows.size(), out);
  return out;
}

}  // namespace wcodec
