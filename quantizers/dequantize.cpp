#include "quantizers/dequantize.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "core/error.hpp"
#include "core/spec.hpp"
#include "quantizers/planes.hpp"

namespace wcodec {
namespace {

template <FloatOutput kOutput, class Word>
void dequantize_as(const QuantizedTensor& tensor, const ScalePlaces& places, std::span<const float> scales,
                   Bytes zero_points, const std::array<float, 256>& values, u8* out) {
  for (u64 r = 0, i = 0; r < static_cast<u64>(tensor.rows); ++r) {
    for (u64 c = 0; c < static_cast<u64>(tensor.cols); ++c, ++i) {
      const u64 s = places.at(r, c);
      const float zero_point = zero_points.empty() ? 0.0f : static_cast<float>(zero_points[s]);
      const auto word =
          static_cast<Word>(float_bits<kOutput>(dequantized(values[tensor.words[i]], zero_point, scales[s])));
      std::memcpy(out + i * sizeof(Word), &word, sizeof(Word));
    }
  }
}

}  // namespace

FloatOutput parse_float_output(sv name) {
  if (name == "bf16") return FloatOutput::bf16;
  if (name == "f16") return FloatOutput::f16;
  if (name == "f32") return FloatOutput::f32;
  static constexpr sv kNames[] = {"bf16", "f16", "f32"};
  throw Error(ErrorKind::usage, unknown_name("output type", name, kNames));
}

ScalePlaces scale_places(const Scaling& scaling, i64 cols) {
  if (cols > std::numeric_limits<u32>::max())
    throw Error(ErrorKind::unsupported, fmt::format("rows of {} weights are too long to be dequantized", cols));
  const u32 row = static_cast<u32>(std::max<i64>(cols, 1));
  switch (scaling.axis) {
    case Axis::tensor:
      return {0, row};
    case Axis::row:
      return {1, row};
    case Axis::column:
      return {0, 1};
    case Axis::group:
      break;
  }
  const i64 group = std::min<i64>(scaling.group, row);
  return {static_cast<u64>((cols + group - 1) / group), static_cast<u32>(group)};
}

std::array<float, 256> word_values(const WordFormat& format) {
  if (plane_layout(format).size() != 1)
    throw Error(ErrorKind::unsupported, fmt::format("words of {} bits are no quantized codes", format.bits));
  std::array<float, 256> values{};
  for (u32 word = 0; word < 256; ++word) values[word] = static_cast<float>(word_value(format, word));
  return values;
}

void dequantize_words(const QuantizedTensor& tensor, const ScalePlaces& places, std::span<const float> scales,
                      Bytes zero_points, FloatOutput output, MutBytes out) {
  const std::array<float, 256> values = word_values(tensor.format);
  const u64 weights = tensor.weights();
  if (weights == 0) return;
  const u64 needed = places.at(static_cast<u64>(tensor.rows) - 1, static_cast<u64>(tensor.cols) - 1) + 1;
  if (tensor.words.size() != weights || out.size() != weights * static_cast<u64>(float_bytes(output)) ||
      scales.size() < needed || (!zero_points.empty() && zero_points.size() < needed)) {
    throw Error(ErrorKind::internal, "dequantize_words: words, scales or output are not of the tensor's size");
  }
  if (output == FloatOutput::bf16) {
    dequantize_as<FloatOutput::bf16, u16>(tensor, places, scales, zero_points, values, out.data());
  } else if (output == FloatOutput::f16) {
    dequantize_as<FloatOutput::f16, u16>(tensor, places, scales, zero_points, values, out.data());
  } else {
    dequantize_as<FloatOutput::f32, u32>(tensor, places, scales, zero_points, values, out.data());
  }
}

}  // namespace wcodec
