#include "products/packed_matrix.hpp"

#include <fmt/format.h>

#include "codec/tensor_codec.hpp"
#include "core/error.hpp"
#include "products/pack_image.hpp"

namespace wcodec {

sv to_string(PackedFormat format) noexcept {
  constexpr sv kNames[] = {"bf16", "bf16-palette", "int8", "int4"};
  return kNames[static_cast<u8>(format)];
}

PackedMatrix begin_packing(PackedFormat format, i64 rows, i64 cols, u64 given, u64 tile_bytes) {
  if (rows < 1 || cols < 1 || rows > kMaxProductRows || cols > kMaxProductCols) {
    throw Error(ErrorKind::unsupported,
                fmt::format("a product takes 1 to {} rows of 1 to {} columns, this matrix has {} x {}; split it",
                            kMaxProductRows, kMaxProductCols, rows, cols));
  }
  if (static_cast<u64>(rows * cols) != given) {
    throw Error(ErrorKind::usage,
                fmt::format("a matrix of {} x {} has {} weights, not {}", rows, cols, rows * cols, given));
  }
  PackedMatrix out;
  out.shape.format = format;
  out.shape.rows = rows;
  out.shape.cols = cols;
  out.image.resize(static_cast<u64>(out.shape.tile_rows()) * static_cast<u64>(out.shape.tile_cols()) * tile_bytes);
  out.shape.image_size = out.image.size();
  return out;
}

u64 append_to_image(PackedMatrix& matrix, Bytes bytes) {
  const u64 at = (matrix.image.size() + 127) / 128 * 128;
  matrix.image.resize(at);
  matrix.image.insert(matrix.image.end(), bytes.begin(), bytes.end());
  matrix.shape.image_size = matrix.image.size();
  return at;
}

PackedMatrix pack_record(Bytes record, const QuantizerChoice& quantizer) {
  return pack(decode_tensor(record), quantizer);
}

}  // namespace wcodec
