#include "quantizers/int8.hpp"

#include <cmath>

#include "quantizers/scaling.hpp"

namespace wcodec {
namespace {

constexpr OptionInfo kOptions[] = {
    {"axis", "row", "tensor|row|column|group", "which weights share a scale"},
    {"group", "0", "2...", "weights of a row that share a scale (group=N implies axis=group)"},
    {"clip", "absmax", "absmax|mse", "largest weight, or the clip with the least squared error"},
    {"scale", "f32", "f32|f16|bf16", kStoredScaleHelp}};
constexpr float kLevels = 127.0f;

float to_grid(float x) noexcept { return std::clamp(std::nearbyint(x), -kLevels, kLevels); }

QuantizedTensor quantize(const MatrixView& matrix, const Spec& spec) {
  const Scaling scaling = read_scaling(OptionReader(spec, kOptions));
  const std::vector<float> values = to_floats(matrix);
  const std::vector<float> scales = choose_scales(matrix, values, scaling, kLevels, to_grid);
  QuantizedTensor out{matrix.rows, matrix.cols, word_format(info(DType::int8)), std::vector<u8>(values.size()), {}};
  for (i64 r = 0; r < matrix.rows; ++r) {
    for (i64 c = 0; c < matrix.cols; ++c) {
      const auto i = static_cast<std::size_t>(r * matrix.cols + c);
      out.words[i] =
          static_cast<u8>(static_cast<i8>(to_grid(values[i] / scales[scale_index(scaling, matrix.cols, r, c)])));
    }
  }
  out.scales = store_scales(matrix.name, scales, scaling.stored);
  return out;
}

std::vector<float> dequantize(const QuantizedTensor& tensor, const Spec& spec) {
  const Scaling scaling = read_scaling(OptionReader(spec, kOptions));
  const std::vector<float> scales = load_scales(tensor.scales, scaling.stored);
  std::vector<float> values(tensor.weights());
  for (i64 r = 0; r < tensor.rows; ++r) {
    for (i64 c = 0; c < tensor.cols; ++c) {
      const auto i = static_cast<std::size_t>(r * tensor.cols + c);
      values[i] =
          static_cast<float>(static_cast<i8>(tensor.words[i])) * scales[scale_index(scaling, tensor.cols, r, c)];
    }
  }
  return values;
}

}  // namespace

const Quantizer kInt8 = {.name = "int8",
                         .help = "symmetric 8-bit integers",
                         .options = kOptions,
                         .numeric = true,
                         .check = [](const Spec& spec) { read_scaling(OptionReader(spec, kOptions)); },
                         .quantize = &quantize,
                         .dequantize = &dequantize};

}  // namespace wcodec
