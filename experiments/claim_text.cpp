#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/error.hpp"
#include "experiments/claim.hpp"

namespace wcodec {
namespace {

bool is_lower(const ClaimRow& a, const ClaimRow& b) { return a.ratio < b.ratio; }

// "+" where none is within the claim and some are beyond it.
const char* star(const ClaimReport& report, const ClaimRow& nearest, const ClaimRow& highest) {
  return nearest.meets ? "*" : highest.ratio > report.claim.high ? "+" : " ";
}

std::string series_text(const ClaimRow& row) {
  std::string text = fmt::format("{:.3f} {}: {} {}", row.ratio, row.checkpoint, row.quantizer, row.coder);
  if (!row.modes.empty()) text += " " + row.modes;
  if (!std::isnan(row.shuffled)) text += fmt::format(" (shuffled {:.3f})", row.shuffled);
  return text;
}

// Rows are sorted by denominator: one line each.
std::string denominator_lines(const ClaimReport& report) {
  std::string out = fmt::format("\n{:<48} {:>15}  {}\n", "what is divided by what", "measured", "nearest to the claim");
  for (auto first = report.rows.begin(); first != report.rows.end();) {
    const auto last = std::find_if(first, report.rows.end(),
                                   [&](const ClaimRow& row) { return row.denominator != first->denominator; });
    const auto [low, high] = std::minmax_element(first, last, is_lower);
    out += fmt::format("{:<48} {:>6.3f} - {:>6.3f} {} {}\n", to_string(first->denominator), low->ratio, high->ratio,
                       star(report, *first, *high), series_text(*first));
    first = last;
  }
  return out;
}

// Granularity and clip are in the quantizer's spec; symbols only, so that scales do not blur what they do to symbols.
std::string quantizer_lines(const ClaimReport& report) {
  std::map<std::string, std::vector<const ClaimRow*>> by_quantizer;
  for (const ClaimRow& row : report.rows) {
    if (row.denominator == Denominator::symbols) by_quantizer[row.quantizer].push_back(&row);
  }
  std::string out = fmt::format("\n{:<48} {:>15}  {}\n", "granularity and clip (symbols, no scales)", "measured",
                                "nearest to the claim");
  for (const auto& [quantizer, rows] : by_quantizer) {
    const auto [low, high] =
        std::minmax_element(rows.begin(), rows.end(), [](const auto* a, const auto* b) { return is_lower(*a, *b); });
    out += fmt::format("{:<48} {:>6.3f} - {:>6.3f} {} {}\n", quantizer, (*low)->ratio, (*high)->ratio,
                       star(report, *rows.front(), **high), series_text(*rows.front()));
  }
  return out;
}

}  // namespace

std::string describe(const ClaimReport& report) {
  const Claim& claim = report.claim;
  std::string out =
      std::isinf(claim.high)
          ? fmt::format("claim: {} (ratio {:.3f} or more)\n", printable(claim.text), claim.low)
          : fmt::format("claim: {} (ratio {:.3f} to {:.3f})\n", printable(claim.text), claim.low, claim.high);
  if (report.rows.empty()) {
    return out + "answer: not measured; no series of these results is about it\n";
  }
  out += denominator_lines(report) + quantizer_lines(report);
  out += fmt::format("\n* meets the claim; + some have more\nanswer: {}", to_string(report.answer));
  if (report.answer == Answer::confirmed)
    out += "; with and without scales, at every granularity and on every checkpoint measured";
  if (report.answer == Answer::depends) {
    out += " on what is divided by what, on granularity and clip, or on the checkpoint: see the lines with * and +";
  }
  if (report.answer == Answer::refuted) out += "; no denominator that names its bytes gives it on these checkpoints";
  out += "\n";
  if (!std::isnan(report.outlier_sigmas)) {
    out += fmt::format(
        "outliers: on one scale a tensor, Gaussian weights reach {:.2f} by order-0 coding alone once the "
        "largest weight lies {:.1f} standard deviations out\n",
        claim.low, report.outlier_sigmas);
  }
  return out;
}

}  // namespace wcodec
