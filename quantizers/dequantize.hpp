// Weights from words and scales in the type that a model computes with: what a decoder fuses into its store.
//
// weight = (value of the word − zero point) · scale, a float32 multiplication rounded to nearest even, then rounded to
// nearest even to the output's type. Any NaN becomes the positive quiet one of that type, so that no result depends on
// who computes it. The CPU and the GPU share these functions.
#pragma once

#include <array>
#include <span>

#include "quantizers/half.hpp"
#include "quantizers/quantized.hpp"
#include "quantizers/scaling.hpp"

namespace wcodec {

enum class FloatOutput : u8 { bf16, f16, f32 };

// "bf16", "f16" or "f32"; throws Error{usage}.
FloatOutput parse_float_output(sv name);
constexpr int float_bytes(FloatOutput output) noexcept { return output == FloatOutput::f32 ? 4 : 2; }

// Which scale a weight has: scale_index in one formula for all axes.
struct ScalePlaces {
  u64 of_row = 0;  // scales of a row; 0 where rows share them
  u32 group = 1;   // neighbours in a row that share a scale
  WC_HD constexpr u64 at(u64 r, u64 c) const noexcept { return r * of_row + static_cast<u32>(c) / group; }
};
// Throws Error{unsupported} for rows of 2^32 weights and more.
ScalePlaces scale_places(const Scaling& scaling, i64 cols);

// The values of all words of a format of one plane. Throws Error{unsupported} for a wider format.
std::array<float, 256> word_values(const WordFormat& format);

WC_HD constexpr float dequantized(float value, float zero_point, float scale) noexcept {
  return (value - zero_point) * scale;
}

// The bits of a weight in the output's type.
template <FloatOutput kOutput>
WC_HD constexpr u32 float_bits(float weight) noexcept {
  const bool is_nan = weight != weight;
  if constexpr (kOutput == FloatOutput::bf16) {
    return is_nan ? 0x7fc0 : float_to_bf16(weight);
  } else if constexpr (kOutput == FloatOutput::f16) {
    return is_nan ? 0x7e00 : float_to_f16(weight);
  } else {
    return is_nan ? 0x7fc00000 : std::bit_cast<u32>(weight);
  }
}

// All weights of a tensor of one plane. `zero_points`: a byte a scale, or none. `out` has room for them all. Throws
// Error{unsupported | internal}.
void dequantize_words(const QuantizedTensor& tensor, const ScalePlaces& places, std::span<const float> scales,
                      Bytes zero_points, FloatOutput output, MutBytes out);

}  // namespace wcodec
