// From summary rows to statements: what a choice of stage is worth, how sure that is, and what it says in words.
//
// Every candidate value of the factor is compared with the reference, paired by tensor, everything else equal. Two
// questions have two answers:
//   verdict        is there structure that the candidate uses? From `net`, the effect minus the effect on the same
//                  weights shuffled, tensor by tensor.
//                  It is `helps` only where the file gets smaller as well; otherwise bytes_verdict speaks.
//   bytes_verdict  does the file get smaller, whatever the reason? From `effect` alone.
// Either is drawn from a 95 % interval, and stands only if its p does after Holm's correction for all comparisons of
// the experiment that ask the same; otherwise it is `inconclusive`. They differ, and both are needed: forcing `left`
// costs about 0.42 bit a weight on trained and on shuffled INT8 weights alike. Net that is nothing, there is no
// structure to use or to destroy; the file is 0.42 bit a weight larger all the same.
#pragma once

#include <limits>
#include <span>
#include <string>
#include <vector>

#include "experiments/config.hpp"
#include "experiments/results.hpp"
#include "experiments/statistics.hpp"

namespace wcodec {

enum class Verdict : u8 { helps, no_effect, hurts, inconclusive };

constexpr sv to_string(Verdict verdict) noexcept {
  constexpr sv kNames[] = {"helps", "no effect", "hurts", "inconclusive"};
  return kNames[static_cast<u8>(verdict)];
}

// helps: wholly below −margin; hurts: wholly above +margin; no effect: wholly within ±margin, ends included;
// inconclusive: across an end of the margin, or no interval. The statistic counts bits, so less is better.
Verdict judge(const Interval& interval, double margin) noexcept;

// Share of the compared weights that must have the control too for a net effect to stand for them.
inline constexpr double kControlCover = 0.9;

// How sure a verdict is among the others. NaN without an interval.
struct Significance {
  double p = std::numeric_limits<double>::quiet_NaN();     // of this comparison alone: Estimate::p
  double holm = std::numeric_limits<double>::quiet_NaN();  // corrected: that any conclusion of the family is wrong
  double q = std::numeric_limits<double>::quiet_NaN();     // share of wrong ones among conclusions as sure as this
};

// What the symbols are: the dtype of the file where they are lossless, else the quantizer's ("INT8").
std::string symbol_dtype(const SummaryRow& row);

// One row of verdicts.csv.
struct VerdictRow {
  Comparison comparison;
  std::string scope;             // "checkpoint" or "pooled"
  std::string checkpoint, kind;  // "all" when pooled; "all" over all kinds
  std::string dtype;             // of the symbols; over all kinds "mixed" where there are several
  // The candidate's stages; device only if it is the factor.
  std::string quantizer, order, approx, tile, modes, transform, coder, device, reference;
  u64 checkpoints = 0, families = 0, tensors = 0, weights = 0;  // how much stands behind `effect`
  Estimate effect;
  double shuffled_effect = 0, shuffled_rows_effect = 0, gaussian_effect = 0;  // NaN without the control
  Estimate net;  // over the tensors that have the shuffled control
  Verdict verdict = Verdict::inconclusive, bytes_verdict = Verdict::inconclusive;
  Verdict alone = Verdict::inconclusive, bytes_alone = Verdict::inconclusive;  // before the correction
  Significance net_sure, effect_sure;

  const std::string& candidate() const;  // the factor's value
};

// Compares as the experiment asks. Rows: each checkpoint × kind and dtype of symbols (and `all`) × the stages that are
// not compared × candidate; and, where more than one checkpoint has the comparison, the same pooled. Sorted, by
// comparison first.
//
// - `factor` is any of kAxisNames. With `coder`, a baseline may be the reference: it has no tile, modes or transform,
// so
//   it stands against a codec of each.
// - Cells on several devices have the same bytes and count once, unless `device` is the factor.
// - A tensor counts where candidate and reference have both finished. It has a control where both have under it.
// - Without the shuffled control on kControlCover of the weights there is no net effect, and the verdict is
//   `inconclusive`: nothing excludes that noise would show the same. bytes_verdict needs no control.
// - Fewer than kMinUnits tensors (checkpoint) or families (pooled) have an effect but no interval: `inconclusive`, even
//   if every effect is exactly 0, for one zero does not say what the next tensor does.
//
// Throws Error{config} for a factor or statistic that does not exist. The statistic is one of bpw, bpw_symbols, h0_bpw,
// residual_h0_bpw, best_bpw, gm_bpw.
//
// Families of the correction: verdicts and bytes_verdicts each, those over all kinds and those by kind each, over all
// comparisons of the call. What is said of a model as a whole does not pay for the look at its parts.
std::vector<VerdictRow> compare(std::span<const SummaryRow> rows, std::span<const Comparison> comparisons,
                                const BootstrapOptions& options = {});

// The file. It has no column for order, approx, reference, transform and device: where one is not the default or is
// compared, `modes` says so
// ("none+left;transform=dct8").
std::string verdicts_csv(std::span<const VerdictRow> rows);

// A few plain sentences, about ten at most, that answer the experiment's question first and say next what limits the
// answer.
std::vector<std::string> headline(std::span<const VerdictRow> rows);

}  // namespace wcodec
