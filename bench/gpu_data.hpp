// What the GPU benchmark decodes: matrices of real models, quantized by our own quantizers, or Gaussian stand-ins.
#pragma once

#include <string>
#include <vector>

#include "quantizers/quantized.hpp"

namespace wcodec {

inline constexpr sv kGpuData[] = {"int8ch", "int8pt", "int4", "fp8", "bf16"};

// Words of one kind, `words_bytes` in all. Up to kLayerMebibytes it is one matrix; beyond, the matrices of a model,
// each with the table of its own that it would have in a file. No scales: ratios are those of symbols.
struct GpuDataSet {
  std::string model, data;
  u64 mebibytes = 0;
  std::vector<QuantizedTensor> layers;

  u64 words_bytes() const noexcept;
  u64 symbol_bytes() const noexcept;  // at native width
};

inline constexpr u64 kLayerMebibytes = 64;

// A model's matrices, read once.
class GpuModel {
 public:
  // Matrices of 64 rows and columns or more of a checkpoint (an address as open_checkpoint takes it). Throws what
  // open_checkpoint throws, and Error{unsupported} where there is no floating-point matrix.
  static GpuModel from_checkpoint(const std::string& name, const std::string& address);
  // One matrix of 4096 × 4096 Gaussian weights, each row with a scale of its own (log-normal, σ = 0.3).
  static GpuModel gaussian();

  const std::string& name() const noexcept { return name_; }
  u64 weights() const noexcept;
  // A layer is the largest matrix that is not an embedding. Bytes beyond what the model has are rows again, in another
  // order each time round, so that every matrix has as many copies. Rows come by sixteens, so that every layer begins
  // and ends at a multiple of 16 bytes; a little less than asked for.
  GpuDataSet make(sv data, u64 mebibytes) const;

 private:
  struct Matrix {
    std::string name;
    bool is_embedding;
    i64 rows, cols;
    DType dtype;
    std::vector<u8> bytes;
  };
  QuantizedTensor quantize(const Matrix& matrix, sv data) const;

  std::string name_;
  std::vector<Matrix> matrices_;
};

}  // namespace wcodec
