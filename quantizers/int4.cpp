#include "quantizers/int4.hpp"

#include <cmath>

#include "core/error.hpp"
#include "quantizers/scaling.hpp"

namespace wcodec {
namespace {

constexpr OptionInfo kOptions[] = {
    {"axis", "group", "tensor|row|column|group", "which weights share a scale"},
    {"group", "128", "2...", "weights of a row that share a scale; 0 with another axis"},
    {"symmetric", "true", "true|false", "codes −7…7 around zero, or 0…15 with a zero point"},
    {"clip", "absmax", "absmax|mse", "largest weight, or the clip with the least squared error (symmetric only)"},
    {"scale", "f16", "f32|f16|bf16", kStoredScaleHelp}};

struct Parsed {
  Scaling scaling;
  bool symmetric;
};

Parsed parse(const Spec& spec) {
  // `axis=row` without a group means exactly that, although the default group is not 0.
  Spec effective = spec;
  if (const auto axis = spec.options.find("axis");
      axis != spec.options.end() && axis->second != "group" && !spec.options.contains("group")) {
    effective.options["group"] = "0";
  }
  const OptionReader options(effective, kOptions);
  const Parsed parsed{read_scaling(options), options.flag("symmetric")};
  if (!parsed.symmetric && parsed.scaling.clip == Clip::mse) {
    throw Error(ErrorKind::usage, "'int4': clip=mse needs symmetric=true");
  }
  return parsed;
}

QuantizedTensor quantize_asymmetric(const MatrixView& matrix, const Scaling& scaling) {
  const std::vector<float> values = to_floats(matrix);
  absolute_maxima(matrix, values, scaling);  // refuses NaN and infinity
  const u64 count = scale_count(scaling, matrix.rows, matrix.cols);
  std::vector<float> low(count, 0.0f), high(count, 0.0f), scales(count);
  const auto each = [&](const auto& visit) {
    for (i64 r = 0; r < matrix.rows; ++r) {
      for (i64 c = 0; c < matrix.cols; ++c) {
        visit(static_cast<std::size_t>(r * matrix.cols + c), scale_index(scaling, matrix.cols, r, c));
      }
    }
  };
  // The range always holds 0, so that a weight of zero stays zero.
  each([&](std::size_t i, u64 s) {
    low[s] = std::min(low[s], values[i]);
    high[s] = std::max(high[s], values[i]);
  });
  std::vector<u8> zero_points(count);
  for (u64 s = 0; s < count; ++s) {
    scales[s] = (high[s] - low[s]) / 15.0f;
    if (scales[s] == 0.0f) scales[s] = 1.0f;
    zero_points[s] = static_cast<u8>(std::clamp(std::nearbyint(-low[s] / scales[s]), 0.0f, 15.0f));
  }
  QuantizedTensor out{matrix.rows, matrix.cols, word_format(info(DType::uint4)), std::vector<u8>(values.size()), {}};
  each([&](std::size_t i, u64 s) {
    out.words[i] = static_cast<u8>(
        std::clamp(std::nearbyint(values[i] / scales[s]) + static_cast<float>(zero_points[s]), 0.0f, 15.0f));
  });
  out.scales = store_scales(matrix.name, scales, scaling.stored);
  out.scales.insert(out.scales.end(), zero_points.begin(), zero_points.end());
  return out;
}

QuantizedTensor quantize(const MatrixView& matrix, const Spec& spec) {
  const Parsed parsed = parse(spec);
  return parsed.symmetric ? quantize_symmetric(matrix, parsed.scaling, 7, DType::int4)
                          : quantize_asymmetric(matrix, parsed.scaling);
}

std::vector<float> dequantize(const QuantizedTensor& tensor, const Spec& spec) {
  const auto [scaling, symmetric] = parse(spec);
  const u64 count = scale_count(scaling, tensor.rows, tensor.cols);
  const Bytes stored(tensor.scales);
  const Bytes zero_points = symmetric ? Bytes{} : stored.last(count);
  const std::vector<float> scales = load_scales(stored.first(stored.size() - zero_points.size()), scaling.stored);
  std::vector<float> values(tensor.weights());
  for (i64 r = 0; r < tensor.rows; ++r) {
    for (i64 c = 0; c < tensor.cols; ++c) {
      const auto i = static_cast<std::size_t>(r * tensor.cols + c);
      const u64 s = scale_index(scaling, tensor.cols, r, c);
      const int code = symmetric ? static_cast<i8>(tensor.words[i]) : tensor.words[i] - zero_points[s];
      values[i] = static_cast<float>(code) * scales[s];
    }
  }
  return values;
}

}  // namespace

const Quantizer kInt4 = {.name = "int4",
                         .help = "4-bit integers by groups",
                         .options = kOptions,
                         .numeric = true,
                         .check = [](const Spec& spec) { parse(spec); },
                         .quantize = &quantize,
                         .dequantize = &dequantize};

}  // namespace wcodec
