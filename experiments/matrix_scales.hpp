// Row and column scale of a matrix of words: what the Gaussian control and the Gaussian bound are matched to.
#pragma once

#include <vector>

#include "quantizers/quantized.hpp"

namespace wcodec {

// rows[r] = root mean square of row r; columns[c] = root mean square of column c after dividing each row by its scale,
// so that the scale of weight (r, c) is rows[r] · columns[c]. Words that are not finite count as 0. Values only:
// quantizer scales are left out.
struct MatrixScales {
  std::vector<double> rows, columns;
};
MatrixScales matrix_scales(const QuantizedTensor& tensor);

// All words as values (NaN and infinities as 0), row-major.
std::vector<float> word_values(const QuantizedTensor& tensor);

}  // namespace wcodec
