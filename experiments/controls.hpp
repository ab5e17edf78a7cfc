// Controls: what a figure would be if there were no structure. They act on the words after quantization and keep their
// histogram to the last count, so that the order-0 entropy of the words is the same as the original's.
#pragma once

#include <string>

#include "quantizers/quantized.hpp"

namespace wcodec {

// "original": unchanged.
// "shuffled": the same words in random order (Fisher and Yates).
// "shuffled-rows": the words of each row in random order, so that every row keeps its own histogram: scale and shape by
//   row survive, columns and neighbours do not.
// "gaussian": the same words, placed by rank: the weight whose sample of N(0, (row scale · column scale)²) is the k-th
// smallest gets the
//   k-th smallest word. Scale by row and column survives, everything else is chance (compare the amplitude-adjusted
//   surrogates of Theiler et al., "Testing for nonlinearity in time series", 1992).
// Random numbers: Philox with `seed` and a stream made from `tensor_hash` and the control's name. Throws Error{usage}
// on another name.
QuantizedTensor apply_control(const QuantizedTensor& tensor, const std::string& control, u64 seed,
                              const std::string& tensor_hash);

}  // namespace wcodec
