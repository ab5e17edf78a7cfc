#include "quantizers/scaling.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "core/error.hpp"
#include "quantizers/half.hpp"

namespace wcodec {
namespace {

i64 parse_group(sv text, sv spec_text) {
  i64 group = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), group);
  if (error != std::errc{} || end != text.data() + text.size() || group < 2 || group > (i64{1} << 24)) {
    throw Error(ErrorKind::usage,
                fmt::format("{}: group={} must be a whole number from 2 to 16777216", spec_text, printable(text)));
  }
  return group;
}

}  // namespace

Scaling read_scaling(const OptionReader& options) {
  static constexpr sv kClips[] = {"absmax", "mse"};
  Scaling scaling = read_unclipped_scaling(options);
  scaling.clip = options.choice("clip", kClips) == "mse" ? Clip::mse : Clip::absmax;
  return scaling;
}

Scaling read_unclipped_scaling(const OptionReader& options) {
  static constexpr sv kStored[] = {"f32", "f16", "bf16"}, kAxes[] = {"tensor", "row", "column", "group"};
  Scaling scaling;
  const std::string axis = options.choice("axis", kAxes), group = options.text("group");
  for (std::size_t i = 0; i < std::size(kAxes); ++i) {
    if (axis == kAxes[i]) scaling.axis = static_cast<Axis>(i);
  }
  // `group=N` alone is enough: it says the axis as well.
  if (group != "0") scaling.axis = Axis::group;
  if (scaling.axis == Axis::group) scaling.group = parse_group(group, "quantizer");
  const std::string stored = options.choice("scale", kStored);
  scaling.stored = stored == "f32" ? DType::f32 : stored == "f16" ? DType::f16 : DType::bf16;
  return scaling;
}

u64 scale_count(const Scaling& scaling, i64 rows, i64 cols) {
  if (rows == 0 || cols == 0) return 0;
  return scale_index(scaling, cols, scaling.axis == Axis::column ? 0 : rows - 1, cols - 1) + 1;
}

std::vector<float> absolute_maxima(const MatrixView& matrix, const std::vector<float>& values, const Scaling& scaling) {
  std::vector<float> maxima(scale_count(scaling, matrix.rows, matrix.cols), 0.0f);
  for (i64 r = 0; r < matrix.rows; ++r) {
    const float* const row = values.data() + r * matrix.cols;
    for (i64 c = 0; c < matrix.cols; ++c) {
      const float magnitude = std::fabs(row[c]);
      if (!(magnitude <= 3.4028234e38f)) {
        throw Error(
            ErrorKind::unsupported,
            fmt::format("tensor '{}' holds {} at row {}, column {}: quantize it with 'lossless', or leave it out",
                        printable(matrix.name), std::isnan(row[c]) ? "NaN" : "infinity", r, c));
      }
      float& maximum = maxima[scale_index(scaling, matrix.cols, r, c)];
      maximum = std::max(maximum, magnitude);
    }
  }
  return maxima;
}

std::vector<float> choose_scales(const MatrixView& matrix, const std::vector<float>& values, const Scaling& scaling,
                                 float levels, const std::function<float(float)>& round_to_grid) {
  std::vector<float> scales = absolute_maxima(matrix, values, scaling);
  for (float& scale : scales) {
    scale = scale / levels;
    if (scale == 0.0f) scale = 1.0f;
  }
  if (scaling.clip == Clip::absmax) return scales;

  std::vector<float> best = scales;
  std::vector<double> best_error(scales.size(), HUGE_VAL), error(scales.size());
  for (int percent = 100; percent >= 40; percent -= 2) {
    const float shrink = static_cast<float>(percent) / 100.0f;
    std::fill(error.begin(), error.end(), 0.0);
    for (i64 r = 0; r < matrix.rows; ++r) {
      for (i64 c = 0; c < matrix.cols; ++c) {
        const u64 index = scale_index(scaling, matrix.cols, r, c);
        const float scale = scales[index] * shrink, value = values[static_cast<std::size_t>(r * matrix.cols + c)];
        const double distance = static_cast<double>(value) - static_cast<double>(round_to_grid(value / scale) * scale);
        error[index] += distance * distance;
      }
    }
    for (std::size_t i = 0; i < scales.size(); ++i) {
      if (error[i] < best_error[i]) {
        best_error[i] = error[i];
        best[i] = scales[i] * shrink;
      }
    }
  }
  return best;
}

QuantizedTensor quantize_symmetric(const MatrixView& matrix, const Scaling& scaling, int levels, DType dtype) {
  const auto limit = static_cast<float>(levels);
  const auto to_grid = [limit](float x) { return std::clamp(std::nearbyint(x), -limit, limit); };
  const std::vector<float> values = to_floats(matrix);
  const std::vector<float> scales = choose_scales(matrix, values, scaling, limit, to_grid);
  QuantizedTensor out{matrix.rows, matrix.cols, word_format(info(dtype)), std::vector<u8>(values.size()), {}};
  for (i64 r = 0; r < matrix.rows; ++r) {
    for (i64 c = 0; c < matrix.cols; ++c) {
      const auto i = static_cast<std::size_t>(r * matrix.cols + c);
      const float scaled = values[i] / scales[scale_index(scaling, matrix.cols, r, c)];
      out.words[i] = static_cast<u8>(static_cast<i8>(to_grid(scaled)));
    }
  }
  out.scales = store_scales(matrix.name, scales, scaling.stored);
  return out;
}

std::vector<float> dequantize_symmetric(const QuantizedTensor& tensor, const Scaling& scaling) {
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

std::vector<u8> store_scales(sv tensor, const std::vector<float>& scales, DType stored) {
  const std::size_t width = stored == DType::f32 ? 4 : 2;
  std::vector<u8> bytes(scales.size() * width);
  for (std::size_t i = 0; i < scales.size(); ++i) {
    if (stored == DType::f32) {
      std::memcpy(bytes.data() + 4 * i, &scales[i], 4);
      continue;
    }
    const u16 half = stored == DType::f16 ? float_to_f16(scales[i]) : float_to_bf16(scales[i]);
    const float back = stored == DType::f16 ? f16_to_float(half) : bf16_to_float(half);
    if (!std::isfinite(back) || (back == 0.0f && scales[i] != 0.0f)) {
      throw Error(ErrorKind::unsupported,
                  fmt::format("tensor '{}': scale {} does not fit {}; use scale=f32", printable(tensor), scales[i],
                              stored == DType::f16 ? "f16" : "bf16"));
    }
    std::memcpy(bytes.data() + 2 * i, &half, 2);
  }
  return bytes;
}

std::vector<float> load_scales(Bytes stored, DType type) {
  const std::size_t width = type == DType::f32 ? 4 : 2;
  std::vector<float> scales(stored.size() / width);
  for (std::size_t i = 0; i < scales.size(); ++i) {
    if (type == DType::f32) {
      std::memcpy(&scales[i], stored.data() + 4 * i, 4);
    } else {
      u16 half;
      std::memcpy(&half, stored.data() + 2 * i, 2);
      scales[i] = type == DType::f16 ? f16_to_float(half) : bf16_to_float(half);
    }
  }
  return scales;
}

}  // namespace wcodec
