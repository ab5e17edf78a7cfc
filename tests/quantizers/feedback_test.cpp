#include "quantizers/feedback.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "core/philox.hpp"

namespace wcodec {
namespace {

using ::testing::HasSubstr;

// A problem that owns what FeedbackProblem points at.
struct Problem {
  i64 rows, cols;
  std::vector<float> weights, row_step, col_step, row_factor, col_factor, costs;
  std::vector<u8> row_class, col_class;

  FeedbackProblem view() const {
    return {rows, cols, weights, row_step, col_step, row_factor, col_factor, costs, row_class, col_class};
  }
  std::size_t at(i64 r, i64 c) const { return static_cast<std::size_t>(r * cols + c); }
};

std::vector<float> unit_lower(i64 size, float spread, Philox& random) {
  std::vector<float> factor(static_cast<std::size_t>(size * size), 0.0f);
  for (i64 r = 0; r < size; ++r) {
    for (i64 c = 0; c < r; ++c)
      factor[static_cast<std::size_t>(r * size + c)] = spread * static_cast<float>(random.normal());
    factor[static_cast<std::size_t>(r * size + r)] = 1;
  }
  return factor;
}

Problem sample(i64 rows, i64 cols, float spread, u64 seed) {
  Philox random(seed, 0);
  Problem p{rows, cols, {}, {}, {}, {}, {}, {}, {}, {}};
  for (i64 i = 0; i < rows * cols; ++i) p.weights.push_back(static_cast<float>(random.normal()));
  for (i64 r = 0; r < rows; ++r) p.row_step.push_back(0.2f + 0.01f * static_cast<float>(r));
  for (i64 c = 0; c < cols; ++c) p.col_step.push_back(1.0f + 0.02f * static_cast<float>(c));
  p.row_factor = unit_lower(rows, spread, random);
  p.col_factor = unit_lower(cols, spread, random);
  return p;
}

// Σ (F / step)² with F = Mᵀ E L, by definition and in double precision.
double loss_of(const Problem& p, const std::vector<i8>& words) {
  std::vector<double> error(words.size());
  for (i64 r = 0; r < p.rows; ++r) {
    for (i64 c = 0; c < p.cols; ++c) {
      const std::size_t i = p.at(r, c);
      error[i] = static_cast<double>(p.weights[i]) - static_cast<double>(words[i]) *
                                                         static_cast<double>(p.row_step[static_cast<std::size_t>(r)]) *
                                                         static_cast<double>(p.col_step[static_cast<std::size_t>(c)]);
    }
  }
  double loss = 0;
  for (i64 r = 0; r < p.rows; ++r) {
    for (i64 c = 0; c < p.cols; ++c) {
      double f = 0;
      for (i64 k = r; k < p.rows; ++k) {
        for (i64 j = c; j < p.cols; ++j)
          f += static_cast<double>(p.row_factor[static_cast<std::size_t>(k * p.rows + r)]) * error[p.at(k, j)] *
               static_cast<double>(p.col_factor[static_cast<std::size_t>(j * p.cols + c)]);
      }
      f /= static_cast<double>(p.row_step[static_cast<std::size_t>(r)] * p.col_step[static_cast<std::size_t>(c)]);
      loss += f * f;
    }
  }
  return loss / static_cast<double>(p.rows * p.cols);
}

TEST(Feedback, LossIsTheQuadraticFormOfTheError) {
  for (const u64 seed : {1, 2, 3}) {
    const Problem p = sample(13, 29, 0.2f, seed);
    const FeedbackResult result = quantize_with_feedback(p.view());
    EXPECT_NEAR(result.loss, loss_of(p, result.words), 1e-4);
    EXPECT_LE(result.loss, 0.25);  // no shifted weight is off by more than half a step
    EXPECT_EQ(result.clipped, 0u);
  }
}

TEST(Feedback, NoSingleStepImprovesTheLastRoundedWeightAndRoundingAloneIsWorse) {
  const Problem p = sample(16, 40, 0.3f, 7);
  const FeedbackResult result = quantize_with_feedback(p.view());
  Problem plain = p;
  plain.row_factor.clear();
  plain.col_factor.clear();
  const double rounded = loss_of(p, quantize_with_feedback(plain.view()).words);
  EXPECT_LT(result.loss, 0.2 * rounded);
  // Weight (0, 0) comes last: everything else is fixed, so its word is the best there is.
  for (const int change : {-1, 1}) {
    std::vector<i8> other = result.words;
    other[0] = static_cast<i8>(other[0] + change);
    EXPECT_GE(loss_of(p, other) + 1e-6, loss_of(p, result.words));
  }
}

TEST(Feedback, WithoutFactorsItRoundsToNearest) {
  Problem p = sample(5, 7, 0.0f, 4);
  p.row_factor.clear();
  p.col_factor.clear();
  const FeedbackResult result = quantize_with_feedback(p.view());
  for (i64 r = 0; r < p.rows; ++r) {
    for (i64 c = 0; c < p.cols; ++c) {
      const float step = p.row_step[static_cast<std::size_t>(r)] * p.col_step[static_cast<std::size_t>(c)];
      EXPECT_EQ(result.words[p.at(r, c)], static_cast<i8>(std::nearbyint(p.weights[p.at(r, c)] / step)));
    }
  }
}

TEST(Feedback, CostsBuyShorterWordsWithError) {
  Problem p = sample(24, 64, 0.1f, 9);
  p.row_factor.clear();  // each choice for itself, so that none can be lucky through another
  p.col_factor.clear();
  const FeedbackResult nearest = quantize_with_feedback(p.view());
  p.row_class.assign(24, 0);
  p.col_class.assign(64, 3);  // beyond the last class, which then counts
  for (int word = -kFeedbackLimit; word <= kFeedbackLimit; ++word)
    p.costs.push_back(0.1f * static_cast<float>(std::abs(word)));
  const FeedbackResult cheaper = quantize_with_feedback(p.view());
  const auto magnitude = [](const std::vector<i8>& words) {
    int sum = 0;
    for (const i8 word : words) sum += std::abs(word);
    return sum;
  };
  EXPECT_LT(magnitude(cheaper.words), magnitude(nearest.words));
  EXPECT_GT(cheaper.loss, nearest.loss);
  for (float& cost : p.costs) cost = 0;
  EXPECT_EQ(quantize_with_feedback(p.view()).words, nearest.words);
}

TEST(Feedback, WordsStayInRangeAndClippingIsCounted) {
  Problem p = sample(2, 3, 0.0f, 5);
  p.weights = {1e30f, -1e30f, 0, std::numeric_limits<float>::max(), -1, 1};
  p.row_step = {1e-3f, 1e-30f};
  const FeedbackResult result = quantize_with_feedback(p.view());
  EXPECT_EQ(result.words[0], 127);
  EXPECT_EQ(result.words[1], -127);
  EXPECT_GE(result.clipped, 4u);
}

TEST(Feedback, RefusesWhatDoesNotFitTogether) {
  const auto message = [](const Problem& p) -> std::string {
    try {
      quantize_with_feedback(p.view());
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  Problem p = sample(3, 4, 0.1f, 6);
  EXPECT_EQ(message(p), "");
  Problem q = p;
  q.weights.pop_back();
  EXPECT_THAT(message(q), HasSubstr("weights: 11 values, not 12"));
  q = p;
  q.col_factor.pop_back();
  EXPECT_THAT(message(q), HasSubstr("col_factor: 15 values, not 16"));
  q = p;
  q.row_step[1] = 0;
  EXPECT_THAT(message(q), HasSubstr("step of 0"));
  q = p;
  q.costs.assign(7, 0.0f);
  q.row_class.assign(3, 0);
  q.col_class.assign(4, 0);
  EXPECT_THAT(message(q), HasSubstr("costs: 7 values"));
  q = p;
  q.weights[5] = std::nanf("");
  EXPECT_THAT(message(q), HasSubstr("NaN"));
  EXPECT_TRUE(quantize_with_feedback(FeedbackProblem{}).words.empty());
}

}  // namespace
}  // namespace wcodec
