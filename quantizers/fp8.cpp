#include "quantizers/fp8.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "quantizers/planes.hpp"
#include "quantizers/scaling.hpp"

namespace wcodec {
namespace {

constexpr OptionInfo kOptions[] = {
    {"format", "e4m3", "e4m3|e5m2", "exponent and mantissa bits"},
    {"axis", "row", "tensor|row|column|group", "which weights share a scale"},
    {"group", "0", "2...", "weights of a row that share a scale (group=N implies axis=group)"},
    {"clip", "absmax", "absmax|mse", "largest weight, or the clip with the least squared error"},
    {"scale", "f32", "f32|f16|bf16", kStoredScaleHelp}};

struct Format {
  WordFormat words;
  float largest;
  int min_exponent;  // of the smallest normal number
};

Format read_format(const OptionReader& options) {
  static constexpr sv kFormats[] = {"e4m3", "e5m2"};
  return options.choice("format", kFormats) == "e4m3" ? Format{word_format(info(DType::f8_e4m3)), 448.0f, -6}
                                                      : Format{word_format(info(DType::f8_e5m2)), 57344.0f, -14};
}

// Round to nearest even in the format; what lies above the largest number becomes it.
u8 encode(const Format& format, float x) noexcept {
  const int mantissa_bits = format.words.mantissa_bits;
  const u8 sign = std::signbit(x) ? 0x80 : 0;
  const float magnitude = std::min(std::fabs(x), format.largest);
  int exponent = magnitude > 0 ? std::max(std::ilogb(magnitude), format.min_exponent) : format.min_exponent;
  auto units = static_cast<int>(std::nearbyint(std::ldexp(magnitude, mantissa_bits - exponent)));
  if (units == 2 << mantissa_bits) {
    units >>= 1;
    ++exponent;
  }
  // A subnormal has no implicit one, so its exponent field comes out as 0 by itself.
  return static_cast<u8>(sign | (((exponent - format.min_exponent) << mantissa_bits) + units));
}

QuantizedTensor quantize(const MatrixView& matrix, const Spec& spec) {
  const OptionReader options(spec, kOptions);
  const Format format = read_format(options);
  const Scaling scaling = read_scaling(options);
  const std::vector<float> values = to_floats(matrix);
  const auto to_grid = [&](float x) { return static_cast<float>(word_value(format.words, encode(format, x))); };
  const std::vector<float> scales = choose_scales(matrix, values, scaling, format.largest, to_grid);
  QuantizedTensor out{matrix.rows, matrix.cols, format.words, std::vector<u8>(values.size()), {}};
  for (i64 r = 0; r < matrix.rows; ++r) {
    for (i64 c = 0; c < matrix.cols; ++c) {
      const auto i = static_cast<std::size_t>(r * matrix.cols + c);
      out.words[i] = encode(format, values[i] / scales[scale_index(scaling, matrix.cols, r, c)]);
    }
  }
  out.scales = store_scales(matrix.name, scales, scaling.stored);
  return out;
}

std::vector<float> dequantize(const QuantizedTensor& tensor, const Spec& spec) {
  const Scaling scaling = read_scaling(OptionReader(spec, kOptions));
  const std::vector<float> scales = load_scales(tensor.scales, scaling.stored);
  std::array<float, 256> table{};
  for (unsigned w = 0; w < 256; ++w) table[w] = static_cast<float>(word_value(tensor.format, w));
  std::vector<float> values(tensor.weights());
  for (i64 r = 0; r < tensor.rows; ++r) {
    for (i64 c = 0; c < tensor.cols; ++c) {
      const auto i = static_cast<std::size_t>(r * tensor.cols + c);
      values[i] = table[tensor.words[i]] * scales[scale_index(scaling, tensor.cols, r, c)];
    }
  }
  return values;
}

}  // namespace

const Quantizer kFp8 = {.name = "fp8",
                        .help = "8-bit floats with a scale",
                        .options = kOptions,
                        .numeric = true,
                        .check =
                            [](const Spec& spec) {
                              const OptionReader options(spec, kOptions);
                              read_format(options);
                              read_scaling(options);
                            },
                        .quantize = &quantize,
                        .dequantize = &dequantize};

}  // namespace wcodec
