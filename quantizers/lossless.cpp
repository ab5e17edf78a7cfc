#include "quantizers/lossless.hpp"

#include "core/error.hpp"
#include "quantizers/planes.hpp"

namespace wcodec {
namespace {

QuantizedTensor quantize(const MatrixView& matrix, const Spec&) {
  const WordFormat format = word_format(info(matrix.dtype));
  const u64 count = static_cast<u64>(matrix.rows) * static_cast<u64>(matrix.cols);
  if (matrix.bytes.size() != count * static_cast<u64>(format.memory_bytes)) {
    throw Error(ErrorKind::internal, "lossless needs a tensor whose bytes match its shape");
  }
  return {matrix.rows, matrix.cols, format, {matrix.bytes.begin(), matrix.bytes.end()}, {}};
}

std::vector<float> dequantize(const QuantizedTensor& tensor, const Spec&) {
  std::vector<float> values(tensor.weights());
  for (u64 i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(word_value(tensor.format, load_word(tensor.format, tensor.words.data(), i)));
  }
  return values;
}

}  // namespace

const Quantizer kLossless = {.name = "lossless",
                             .help = "weights as they are, bit for bit",
                             .options = {},
                             .numeric = false,
                             .check = [](const Spec& spec) { OptionReader(spec, {}); },
                             .quantize = &quantize,
                             .dequantize = &dequantize};

}  // namespace wcodec
