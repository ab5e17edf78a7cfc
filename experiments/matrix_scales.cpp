#include "experiments/matrix_scales.hpp"

#include <array>
#include <cmath>

#include "quantizers/planes.hpp"

namespace wcodec {

std::vector<float> word_values(const QuantizedTensor& tensor) {
  const WordFormat& f = tensor.format;
  std::vector<float> values(tensor.weights());
  const auto value = [&](u64 word) {
    const auto v = static_cast<float>(word_value(f, word));
    return std::isfinite(v) ? v : 0.0f;
  };
  if (f.memory_bytes <= 2) {
    std::vector<float> table(std::size_t{1} << (8 * f.memory_bytes));
    for (std::size_t w = 0; w < table.size(); ++w) table[w] = value(w);
    for (u64 i = 0; i < values.size(); ++i) values[i] = table[load_word(f, tensor.words.data(), i)];
  } else {
    for (u64 i = 0; i < values.size(); ++i) values[i] = value(load_word(f, tensor.words.data(), i));
  }
  return values;
}

MatrixScales matrix_scales(const QuantizedTensor& tensor) {
  const std::vector<float> values = word_values(tensor);
  const auto rows = static_cast<std::size_t>(tensor.rows), cols = static_cast<std::size_t>(tensor.cols);
  MatrixScales scales{std::vector<double>(rows), std::vector<double>(cols)};
  for (std::size_t r = 0; r < rows; ++r) {
    const float* const row = values.data() + r * cols;
    double sum = 0;
    for (std::size_t c = 0; c < cols; ++c) sum += static_cast<double>(row[c]) * static_cast<double>(row[c]);
    scales.rows[r] = std::sqrt(sum / static_cast<double>(cols));
    if (scales.rows[r] == 0) continue;
    const double inverse = 1.0 / scales.rows[r];
    for (std::size_t c = 0; c < cols; ++c) {
      const double x = static_cast<double>(row[c]) * inverse;
      scales.columns[c] += x * x;
    }
  }
  for (double& column : scales.columns) column = std::sqrt(column / static_cast<double>(rows));
  return scales;
}

}  // namespace wcodec
