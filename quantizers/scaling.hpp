// What the uniform quantizers share: which weights share a scale, how the scale is chosen, and how it is stored.
#pragma once

#include <functional>
#include <vector>

#include "quantizers/quantizer.hpp"

namespace wcodec {

enum class Axis : u8 { tensor, row, column, group };
enum class Clip : u8 { absmax, mse };

struct Scaling {
  Axis axis = Axis::row;
  i64 group = 0;  // weights of a row that share a scale; the last group of a row may be shorter
  Clip clip = Clip::absmax;
  DType stored = DType::f32;  // f32, f16 or bf16
};

// "tensor", "row", "column" or "group=N": the option `axis`, or `group` where a quantizer has only that.
Scaling read_scaling(const OptionReader& options);
Scaling read_unclipped_scaling(const OptionReader& options);  // of a quantizer without the option `clip`

// Number of scales of a matrix, and the scale that weight (r, c) belongs to.
u64 scale_count(const Scaling& scaling, i64 rows, i64 cols);
inline u64 scale_index(const Scaling& scaling, i64 cols, i64 r, i64 c) noexcept {
  switch (scaling.axis) {
    case Axis::tensor:
      return 0;
    case Axis::row:
      return static_cast<u64>(r);
    case Axis::column:
      return static_cast<u64>(c);
    case Axis::group:
      return static_cast<u64>(r * ((cols + scaling.group - 1) / scaling.group) + c / scaling.group);
  }
  return 0;
}

// Largest magnitude of each scale's weights. Throws Error{unsupported} on NaN or infinity, naming the tensor.
std::vector<float> absolute_maxima(const MatrixView& matrix, const std::vector<float>& values, const Scaling& scaling);

// absmax / levels, or, for Clip::mse, the candidate c · absmax / levels with c in {1.00, 0.98, … 0.40} that leaves the
// smallest squared error (ties to the larger c). A scale of all-zero weights is 1. `round_to_grid(x)` gives the level a
// scaled weight gets.
std::vector<float> choose_scales(const MatrixView& matrix, const std::vector<float>& values, const Scaling& scaling,
                                 float levels, const std::function<float(float)>& round_to_grid);

// Codes −levels … levels of `dtype`, w ≈ scale · code, round to nearest even; scales as stored behind them.
QuantizedTensor quantize_symmetric(const MatrixView& matrix, const Scaling& scaling, int levels, DType dtype);
// What they stand for: scale · code. The tensor's scales are of this scaling.
std::vector<float> dequantize_symmetric(const QuantizedTensor& tensor, const Scaling& scaling);

// Scales as bytes in their stored type, and back. Throws Error{unsupported} where the type cannot hold one.
std::vector<u8> store_scales(sv tensor, const std::vector<float>& scales, DType stored);
std::vector<float> load_scales(Bytes stored, DType type);

inline constexpr sv kStoredScaleHelp = "type scales are stored in (codes are chosen with the unrounded scale)";

}  // namespace wcodec
