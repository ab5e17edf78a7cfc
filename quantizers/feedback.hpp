// Rounding with error feedback: a matrix goes to a uniform grid one weight after the other, and what each rounding
// leaves behind is added to the weights that are still to come, as far as a quadratic loss says that they can make up
// for it. The loss of an error E (rows × cols) is
//
//   Σ_rc B_r · D_c · F_rc²   with   F = Mᵀ · E · L,
//
// that is tr(G E H Eᵀ) for H = L D Lᵀ (second moments of the layer's inputs) and G = M B Mᵀ (of the gradients at its
// outputs), L and M lower triangular with ones on the diagonal. Weights are taken from the last row and column to the
// first, so that F_rc is just the rounding error of one shifted weight, at most half a step: no choice of integers made
// one by one does better. With M the identity this is GPTQ (Frantar et al. 2022, arXiv:2210.17323), which is Babai's
// nearest plane (Chen et al. 2025, arXiv:2507.18553); both sides are used by YAQA (Tseng et al. 2025,
// arXiv:2505.22988).
#pragma once

#include <span>
#include <vector>

#include "core/types.hpp"

namespace wcodec {

// Words are −kFeedbackLimit … kFeedbackLimit.
inline constexpr int kFeedbackLimit = 127;
inline constexpr std::size_t kFeedbackCosts = 2 * kFeedbackLimit + 1;

struct FeedbackProblem {
  i64 rows = 0, cols = 0;
  std::span<const float> weights;             // rows · cols, row-major, finite
  std::span<const float> row_step, col_step;  // rows, cols; the step of weight (r, c) is their product, above 0
  std::span<const float> row_factor;          // M, rows · rows, row-major; empty for the identity
  std::span<const float> col_factor;          // L, cols · cols, row-major; empty for the identity
  // Rate in the objective: λ times the bits of every word in every class, kFeedbackCosts each, the word −kFeedbackLimit
  // first, in units of squared steps. The class of a weight is row_class[r] + col_class[c], at most the last. Of the
  // nearest word, the next towards zero, and zero, the cheapest is taken. Empty: the nearest.
  std::span<const float> costs;
  std::span<const u8> row_class, col_class;
};

struct FeedbackResult {
  std::vector<i8> words;  // rows · cols, row-major
  double loss = 0;        // mean of (F_rc / step)²: 1/12 for rounding at random
  u64 clipped = 0;        // weights that wanted a word beyond the limit
};

// The same words on every machine. Throws Error{usage} where sizes do not match or a step is not a positive number.
FeedbackResult quantize_with_feedback(const FeedbackProblem& problem);

}  // namespace wcodec
