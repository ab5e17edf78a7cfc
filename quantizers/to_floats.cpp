#include <bit>
#include <cstring>

#include "core/error.hpp"
#include "quantizers/planes.hpp"
#include "quantizers/quantizer.hpp"

namespace wcodec {

std::vector<float> to_floats(const MatrixView& matrix) {
  const DTypeInfo& d = info(matrix.dtype);
  const u64 count = static_cast<u64>(matrix.rows) * static_cast<u64>(matrix.cols);
  if (d.number != NumberClass::floating || matrix.bytes.size() != count * static_cast<u64>(d.memory_bytes)) {
    throw Error(ErrorKind::internal, "to_floats needs a floating tensor whose bytes match its shape");
  }
  std::vector<float> values(count);
  if (matrix.dtype == DType::f32) {
    std::memcpy(values.data(), matrix.bytes.data(), matrix.bytes.size());
  } else if (matrix.dtype == DType::f64) {
    for (u64 i = 0; i < count; ++i) {
      double value;
      std::memcpy(&value, matrix.bytes.data() + 8 * i, 8);
      values[i] = static_cast<float>(value);
    }
  } else if (matrix.dtype == DType::bf16) {
    for (u64 i = 0; i < count; ++i) {
      u16 half;
      std::memcpy(&half, matrix.bytes.data() + 2 * i, 2);
      values[i] = std::bit_cast<float>(u32{half} << 16);
    }
  } else {
    const WordFormat format = word_format(d);
    for (u64 i = 0; i < count; ++i) {
      values[i] = static_cast<float>(word_value(format, load_word(format, matrix.bytes.data(), i)));
    }
  }
  return values;
}

}  // namespace wcodec
