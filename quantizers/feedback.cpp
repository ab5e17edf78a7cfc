#include "quantizers/feedback.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.hpp"

namespace wcodec {
namespace {

void check(const FeedbackProblem& p) {
  const auto expect = [](sv what, std::size_t has, std::size_t wanted) {
    if (has != wanted) throw Error(ErrorKind::usage, fmt::format("{}: {} values, not {}", what, has, wanted));
  };
  if (p.rows < 0 || p.cols < 0 || (p.cols > 0 && p.rows > (i64{1} << 40) / p.cols)) {
    throw Error(ErrorKind::usage, fmt::format("a matrix of {} x {} cannot be quantized", p.rows, p.cols));
  }
  const auto rows = static_cast<std::size_t>(p.rows), cols = static_cast<std::size_t>(p.cols);
  expect("weights", p.weights.size(), rows * cols);
  expect("row_step", p.row_step.size(), rows);
  expect("col_step", p.col_step.size(), cols);
  if (!p.row_factor.empty()) expect("row_factor", p.row_factor.size(), rows * rows);
  if (!p.col_factor.empty()) expect("col_factor", p.col_factor.size(), cols * cols);
  if (!p.costs.empty()) {
    expect("row_class", p.row_class.size(), rows);
    expect("col_class", p.col_class.size(), cols);
    if (p.costs.size() % kFeedbackCosts != 0) {
      throw Error(ErrorKind::usage,
                  fmt::format("costs: {} values, not {} for each class", p.costs.size(), kFeedbackCosts));
    }
  }
  for (const auto steps : {p.row_step, p.col_step}) {
    for (const float step : steps) {
      if (!(step > 0.0f && std::isfinite(step))) {
        throw Error(ErrorKind::usage, fmt::format("a step of {} is not a positive number", step));
      }
    }
  }
  for (const float weight : p.weights) {
    if (!std::isfinite(weight)) throw Error(ErrorKind::unsupported, "a weight is NaN or infinite");
  }
}

// y in steps; `costs` point at the word 0 of the weight's class.
float cheapest(float y, float nearest, const float* costs) noexcept {
  const auto cost = [&](float word) { return (y - word) * (y - word) + costs[static_cast<int>(word)]; };
  const float inner = nearest > 0 ? nearest - 1 : nearest < 0 ? nearest + 1 : 0;
  float best = nearest, least = cost(nearest);
  for (const float word : {inner, 0.0f}) {
    if (const float other = cost(word); other < least) {
      best = word;
      least = other;
    }
  }
  return best;
}

// target += factor · source
void add_scaled(float* target, float factor, const float* source, std::size_t count) noexcept {
  for (std::size_t i = 0; i < count; ++i) target[i] += factor * source[i];
}

template <bool kCosts>
FeedbackResult quantize(const FeedbackProblem& p) {
  const auto rows = static_cast<std::size_t>(p.rows), cols = static_cast<std::size_t>(p.cols);
  const std::size_t classes = p.costs.size() / kFeedbackCosts;
  constexpr auto kLimit = static_cast<float>(kFeedbackLimit);
  FeedbackResult result;
  result.words.resize(rows * cols);
  // E, and for the row at hand what later rows (Mᵀ E) and later columns (… L) pass on.
  std::vector<float> errors(p.row_factor.empty() ? 0 : rows * cols), from_rows(cols), from_cols(cols);
  double loss = 0;
  for (std::size_t r = rows; r-- > 0;) {
    std::fill(from_rows.begin(), from_rows.end(), 0.0f);
    std::fill(from_cols.begin(), from_cols.end(), 0.0f);
    if (!p.row_factor.empty()) {
      for (std::size_t k = r + 1; k < rows; ++k)
        add_scaled(from_rows.data(), p.row_factor[k * rows + r], &errors[k * cols], cols);
    }
    for (std::size_t c = cols; c-- > 0;) {
      const std::size_t at = r * cols + c;
      const float step = p.row_step[r] * p.col_step[c];
      const float y = (p.weights[at] + from_rows[c] + from_cols[c]) / step;
      const float nearest = std::nearbyint(y);
      // Not std::clamp, which lets NaN through: weights near the largest float may overflow on their way here.
      float word = nearest > kLimit ? kLimit : nearest >= -kLimit ? nearest : -kLimit;
      result.clipped += word != nearest;
      if constexpr (kCosts) {
        const std::size_t class_of = std::min<std::size_t>(std::size_t{p.row_class[r]} + p.col_class[c], classes - 1);
        word = cheapest(y, word, p.costs.data() + class_of * kFeedbackCosts + kFeedbackLimit);
      }
      result.words[at] = static_cast<i8>(word);
      loss += static_cast<double>(y - word) * static_cast<double>(y - word);
      const float error = p.weights[at] - word * step;
      if (!p.row_factor.empty()) errors[at] = error;
      if (!p.col_factor.empty()) add_scaled(from_cols.data(), error + from_rows[c], &p.col_factor[c * cols], c);
    }
  }
  if (rows * cols > 0) result.loss = loss / static_cast<double>(rows * cols);
  return result;
}

}  // namespace

FeedbackResult quantize_with_feedback(const FeedbackProblem& problem) {
  check(problem);
  return problem.costs.empty() ? quantize<false>(problem) : quantize<true>(problem);
}

}  // namespace wcodec
