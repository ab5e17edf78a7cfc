#include "experiments/claim.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <numbers>
#include <set>
#include <tuple>

#include "core/error.hpp"
#include "core/portable_math.hpp"

namespace wcodec {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::array<sv, kDenominators> kPhrases = {
    "symbols / their coded bytes, no scales",
    "symbols and scales / all coded bytes",
    "symbols / payload alone (tables, headers free)",
    "symbols, the best tensor only",
    "symbols, mean of the tensors' ratios",
    "checkpoint's bytes / all coded bytes",
    "16 bits a weight / all coded bytes",
    "32 bits a weight / all coded bytes",
};

std::string lower(sv text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

std::string replaced(std::string text, sv from, sv to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

std::optional<double> number(sv text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value > 0) || !std::isfinite(value)) return {};
  return value;
}

// "1.54x", "1.2-1.5x", ">=1.1x", "30-60%"; nothing for another word.
struct Range {
  double low, high;
  bool percent, single;
};
std::optional<Range> range_of(std::string word) {
  const bool at_least = word.starts_with(">=") || word.starts_with(">");
  if (at_least) word.erase(0, word.starts_with(">=") ? 2 : 1);
  if (word.size() < 2 || (word.back() != 'x' && word.back() != '%')) return {};
  const bool percent = word.back() == '%';
  word.pop_back();
  const auto dash = word.find('-');
  const auto low = number(sv(word).substr(0, dash));
  const auto high = dash == std::string::npos ? low : number(sv(word).substr(dash + 1));
  if (!low || !high || *high < *low) return {};
  if (percent && *high >= 100) return {};
  const double infinity = std::numeric_limits<double>::infinity();
  return Range{*low, at_least ? infinity : *high, percent, *low == *high && !at_least};
}

// What one tensor, or a sum of tensors, gives.
struct Sizes {
  double symbols = 0, scales = 0, coded = 0, coded_scales = 0, payload = 0, source = 0, weights = 0;

  void add(const SummaryRow& row) {
    symbols += static_cast<double>(row.original_bytes - row.original_scale_bytes);
    scales += static_cast<double>(row.original_scale_bytes);
    coded += static_cast<double>(row.coded_bytes);
    coded_scales += static_cast<double>(row.scale_bytes());
    payload += static_cast<double>(row.ledger[LedgerEntry::payload]);
    source += static_cast<double>(row.source_bytes);
    weights += static_cast<double>(row.weights);
  }
  double symbol_ratio() const { return symbols / (coded - coded_scales); }
};

struct Series {
  Sizes sum;
  double best = 0, ratios = 0;
  u64 tensors = 0;

  void add(const SummaryRow& row) {
    if (row.weights == 0) return;
    Sizes own;
    own.add(row);
    sum.add(row);
    best = std::max(best, own.symbol_ratio());
    ratios += own.symbol_ratio();
    ++tensors;
  }
  double ratio(Denominator denominator) const {
    switch (denominator) {
      case Denominator::symbols:
        return sum.symbol_ratio();
      case Denominator::with_scales:
        return (sum.symbols + sum.scales) / sum.coded;
      case Denominator::payload:
        return sum.payload > 0 ? sum.symbols / sum.payload : kNaN;
      case Denominator::best_tensor:
        return best;
      case Denominator::mean_of_ratios:
        return ratios / static_cast<double>(tensors);
      case Denominator::source:
        return sum.source / sum.coded;
      case Denominator::as_fp16:
        return 2 * sum.weights / sum.coded;
      case Denominator::as_fp32:
        return 4 * sum.weights / sum.coded;
    }
    return kNaN;
  }
};

using Key = std::tuple<std::string, std::string, std::string, std::string, std::string, std::string>;
Key key_of(const SummaryRow& row) {
  return {row.checkpoint, row.quantizer, row.coder,
          row.modes,      row.tile,      row.transform + front_stages(row.order, row.approx, row.reference)};
}

// A lossless quantizer leaves the checkpoint's own format.
std::string format_of(const SummaryRow& row) {
  if (row.quantizer != "lossless") return row.quantizer;
  return row.dtype == "I8" ? "int8 of the file" : lower(row.dtype);
}

bool is_about(const Claim& claim, const SummaryRow& row) {
  const std::string format = format_of(row);
  const std::string text = format + " " + lower(row.coder) + " " + lower(row.checkpoint) + " " + row.modes;
  return std::all_of(claim.about.begin(), claim.about.end(),
                     [&](const std::string& word) { return text.find(word) != std::string::npos; });
}

// Denominators that say honestly what they divide; the others leave something out.
bool names_its_bytes(Denominator denominator) {
  return denominator != Denominator::payload && denominator != Denominator::best_tensor &&
         denominator != Denominator::mean_of_ratios;
}

Answer answer_of(const ClaimReport& report) {
  if (report.rows.empty()) return Answer::unmeasured;
  // By checkpoint and quantizer: reached without scales, and with them on both sides.
  std::map<std::pair<std::string, std::string>, std::array<bool, 2>> reached;
  bool anywhere = false;
  for (const ClaimRow& row : report.rows) {
    auto& both = reached[{row.checkpoint, row.quantizer}];
    if (row.ratio < report.claim.low) continue;
    if (row.denominator == Denominator::symbols) both[0] = true;
    if (row.denominator == Denominator::with_scales) both[1] = true;
    anywhere = anywhere || names_its_bytes(row.denominator);
  }
  const bool everywhere =
      std::all_of(reached.begin(), reached.end(), [](const auto& unit) { return unit.second[0] && unit.second[1]; });
  return everywhere ? Answer::confirmed : anywhere ? Answer::depends : Answer::refuted;
}

// Bits of a Gaussian at 127 steps to its largest weight, k standard deviations out: log2(127·√(2πe) / k).
double sigmas_for(double ratio) {
  if (!(ratio > 1) || !std::isfinite(ratio)) return kNaN;
  const double steps = 127 * std::sqrt(2 * std::numbers::pi * std::numbers::e);
  return steps / portable_exp(8 / ratio * std::numbers::ln2);
}

double distance(const Claim& claim, double ratio) {
  return ratio < claim.low ? claim.low - ratio : ratio > claim.high ? ratio - claim.high : 0;
}

}  // namespace

sv to_string(Denominator denominator) noexcept { return kPhrases[static_cast<std::size_t>(denominator)]; }

sv to_string(Answer answer) noexcept {
  constexpr std::array<sv, 4> kWords = {"confirmed", "depends", "refuted", "not measured"};
  return kWords[static_cast<std::size_t>(answer)];
}

Claim parse_claim(sv text, double tolerance) {
  Claim claim;
  claim.text = text;
  std::string plain = lower(text);
  for (const auto& [from, to] : {std::pair<sv, sv>{"×", "x"}, {"–", "-"}, {"≥", ">="}, {",", " "}, {" %", "%"}}) {
    plain = replaced(plain, from, to);
  }
  std::optional<Range> range;
  for (std::size_t at = 0; at < plain.size();) {
    const std::size_t end = std::min(plain.find(' ', at), plain.size());
    const std::string word = plain.substr(at, end - at);
    at = end + 1;
    if (word.empty() || word == "smaller" || word == "than" || word == "on" || word == "of") continue;
    if (const auto found = range_of(word)) {
      if (range) throw Error(ErrorKind::usage, fmt::format("claim '{}' has two ratios", printable(text)));
      range = found;
    } else {
      claim.about.push_back(word == "fp32" ? "f32" : word == "fp16" ? "f16" : word);
    }
  }
  if (!range) {
    throw Error(ErrorKind::usage,
                fmt::format("claim '{}' has no ratio; write it like 1.54x, 2-3x, >=1.1x or 30-60%", printable(text)));
  }
  claim.low = range->percent ? 1 / (1 - range->low / 100) : range->low;
  claim.high = range->percent ? 1 / (1 - range->high / 100) : range->high;
  if (range->single) {
    claim.low *= 1 - tolerance;
    claim.high *= 1 + tolerance;
  }
  return claim;
}

ClaimReport check_claim(const Claim& claim, std::span<const SummaryRow> rows) {
  ClaimReport report;
  report.claim = claim;
  std::map<Key, Series> original, shuffled;
  std::set<std::tuple<Key, std::string, std::string>> met;
  for (const SummaryRow& row : rows) {
    if (!is_about(claim, row) || !met.emplace(key_of(row), row.tensor, row.control).second) continue;
    if (row.control == "original") original[key_of(row)].add(row);
    if (row.control == "shuffled") shuffled[key_of(row)].add(row);
  }
  for (const auto& [key, series] : original) {
    if (series.tensors == 0) continue;
    const auto control = shuffled.find(key);
    const bool controlled = control != shuffled.end() && control->second.sum.weights == series.sum.weights;
    for (std::size_t d = 0; d < kDenominators; ++d) {
      const auto denominator = static_cast<Denominator>(d);
      ClaimRow row;
      std::string transform;
      std::tie(row.checkpoint, row.quantizer, row.coder, row.modes, row.tile, transform) = key;
      if (transform != "identity") row.modes += ";transform=" + transform;
      row.denominator = denominator;
      row.ratio = series.ratio(denominator);
      if (!std::isfinite(row.ratio)) continue;
      row.shuffled = controlled ? control->second.ratio(denominator) : kNaN;
      row.bpw = 8 * series.sum.coded / series.sum.weights;
      row.meets = row.ratio >= claim.low && row.ratio <= claim.high;
      report.rows.push_back(std::move(row));
    }
  }
  std::stable_sort(report.rows.begin(), report.rows.end(), [&](const ClaimRow& a, const ClaimRow& b) {
    return std::pair(a.denominator, distance(claim, a.ratio)) < std::pair(b.denominator, distance(claim, b.ratio));
  });
  report.answer = answer_of(report);
  const bool int8 = std::find(claim.about.begin(), claim.about.end(), "int8") != claim.about.end();
  report.outlier_sigmas = int8 ? sigmas_for(claim.low) : kNaN;
  return report;
}

}  // namespace wcodec
