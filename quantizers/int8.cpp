#include "quantizers/int8.hpp"

#include "quantizers/scaling.hpp"

namespace wcodec {
namespace {

constexpr OptionInfo kOptions[] = {
    {"axis", "row", "tensor|row|column|group", "which weights share a scale"},
    {"group", "0", "2...", "weights of a row that share a scale (group=N implies axis=group)"},
    {"clip", "absmax", "absmax|mse", "largest weight, or the clip with the least squared error"},
    {"scale", "f32", "f32|f16|bf16", kStoredScaleHelp}};

QuantizedTensor quantize(const MatrixView& matrix, const Spec& spec) {
  return quantize_symmetric(matrix, read_scaling(OptionReader(spec, kOptions)), 127, DType::int8);
}

std::vector<float> dequantize(const QuantizedTensor& tensor, const Spec& spec) {
  return dequantize_symmetric(tensor, read_scaling(OptionReader(spec, kOptions)));
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
