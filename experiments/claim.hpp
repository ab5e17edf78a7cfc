// Where does a published ratio come from? Holds a claim such as "1.54x int8" against measured results: under which
// denominator, granularity, coder and selection of tensors does that ratio appear, and under which does it not?
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "experiments/results.hpp"

namespace wcodec {

struct Claim {
  std::string text;
  double low = 0, high = 0;  // ratios that meet it
  // Words that a series has to match to be about the claim, lower case: of its quantizer, dtype, coder or checkpoint.
  std::vector<std::string> about;
};

// "1.54x int8", "1.2-1.5x gzip int8", "30-60% smaller int4", ">=1.1x bf16". One number counts as met within
// `tolerance` of it (0.02 = 2 %). Throws Error{usage} where there is no ratio in the text.
Claim parse_claim(sv text, double tolerance);

// What is divided by what. A ratio without this is no number.
enum class Denominator : u8 {
  symbols,         // symbols at native width over their coded bytes, scales on neither side
  with_scales,     // the same with the scales on both sides
  payload,         // symbols over entropy-coded payload: tables, headers, states and modes for free
  best_tensor,     // symbols, of the one tensor that does best
  mean_of_ratios,  // symbols, averaged over tensors whatever their size
  source,          // bytes in the checkpoint over all coded bytes: the quantizer's gain is in it
  as_fp16,         // 16 bits a weight over all coded bytes
  as_fp32          // 32 bits a weight over all coded bytes
};
inline constexpr std::size_t kDenominators = 8;
sv to_string(Denominator denominator) noexcept;  // a phrase for a table

// One series (checkpoint, quantizer, tile, modes, transform, coder) under one denominator. The quantizer says
// granularity and clip.
struct ClaimRow {
  std::string checkpoint, quantizer, coder, modes, tile;
  Denominator denominator;
  double ratio = 0;
  double shuffled = 0;  // the same of the shuffled control; NaN without one
  double bpw = 0;       // all bytes
  bool meets = false;   // within [low, high]
};

enum class Answer : u8 { confirmed, depends, refuted, unmeasured };
sv to_string(Answer answer) noexcept;

struct ClaimReport {
  Claim claim;
  Answer answer = Answer::unmeasured;
  std::vector<ClaimRow> rows;  // all, by denominator and then by distance from the claim
  // INT8 per tensor only: the largest weight, in standard deviations of a Gaussian, at which order-0 coding reaches the
  // claim (Gaussian differential entropy over the quantizer's step). NaN where the claim is not below 8 bits.
  double outlier_sigmas = 0;
};

// `confirmed`: every checkpoint and quantizer (so every granularity and clip) has a series that reaches it, or more,
// both with the scales on both sides and without scales; `refuted`: none does, under any denominator that names what it
// divides (all but payload, best tensor and mean of ratios); `depends` between them; `unmeasured`: no series is about
// it. Rows of control `original` count; those of `shuffled` stand beside where they have the same tensors. A tensor
// that several results have under the same stages, or that was measured on several devices, counts once.
ClaimReport check_claim(const Claim& claim, std::span<const SummaryRow> rows);

// For people: one line a denominator with its range and the series nearest to the claim, one line a quantizer with its
// range (granularity and clip), then the answer in words.
std::string describe(const ClaimReport& report);

}  // namespace wcodec
