// What a quantizer is: weights in, words and side information out.
#pragma once

#include <span>
#include <vector>

#include "core/spec.hpp"
#include "core/tensor.hpp"
#include "quantizers/quantized.hpp"

namespace wcodec {

// A tensor in memory: rows · cols elements of `dtype`, row-major, little-endian. The caller keeps the bytes.
struct MatrixView {
  sv name;  // for messages
  DType dtype;
  i64 rows, cols;
  Bytes bytes;
};

// A row of the registry.
struct Quantizer {
  sv name;
  sv help;
  std::span<const OptionInfo> options;
  bool numeric;                     // true: takes floating tensors only; false: takes anything, losslessly
  void (*check)(const Spec& spec);  // throws Error{usage} on bad options
  // Throws Error{unsupported} where the tensor cannot be quantized (NaN, infinity, scale out of range), naming it.
  QuantizedTensor (*quantize)(const MatrixView& matrix, const Spec& spec);
  // Weights from words and scales, as float32. Lossless words of floating types come back as they were.
  std::vector<float> (*dequantize)(const QuantizedTensor& tensor, const Spec& spec);
};

// Values as float32, as NumPy's astype(float32) gives them. Floating dtypes only.
std::vector<float> to_floats(const MatrixView& matrix);

}  // namespace wcodec
