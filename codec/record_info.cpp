#include "codec/record_info.hpp"

#include <fmt/format.h>

#include "codec/format_version.hpp"
#include "codec/tensor_record.hpp"
#include "core/bytes.hpp"

namespace wcodec {

std::optional<DType> dtype_of(const WordFormat& format) noexcept {
  for (u8 d = static_cast<u8>(DType::uint8); d <= static_cast<u8>(DType::c64); ++d) {
    const auto dtype = static_cast<DType>(d);
    if (word_format(info(dtype)) == format) return dtype;
  }
  return std::nullopt;
}

RecordInfo describe_record(Bytes record, u64 max_weights) {
  ByteReader in(record);
  const auto byte = [&] { return in.read<u8>("tensor record header"); };
  if (in.read<u32>("tensor record header") != record::kMagic)
    throw Error(ErrorKind::corrupt, "tensor record: this is not one (wrong magic)");
  if (const int version = byte(); version != kFormatVersion) {
    throw Error(ErrorKind::unsupported, other_version("tensor record", version));
  }
  WordFormat format;
  format.bits = byte();
  format.memory_bytes = byte();
  format.number = static_cast<NumberClass>(byte());
  format.exponent_bits = byte();
  format.mantissa_bits = byte();
  const auto dtype = dtype_of(format);
  if (!dtype) throw Error(ErrorKind::corrupt, "tensor record: unknown word format");
  const u64 rows = in.varint("rows"), cols = in.varint("columns");
  const u64 tile_rows = in.varint("tile rows"), tile_cols = in.varint("tile columns");
  if (rows > max_weights || cols > max_weights || (cols != 0 && rows > max_weights / cols)) {
    throw Error(ErrorKind::limit,
                fmt::format("tensor record: {} x {} weights are above the limit of {}", rows, cols, max_weights));
  }
  if (tile_rows == 0 || tile_cols == 0 || tile_rows > kMaxTileSide || tile_cols > kMaxTileSide ||
      tile_rows * tile_cols > static_cast<u64>(kMaxTileArea)) {
    throw Error(ErrorKind::corrupt, "tensor record: tile shape out of range");
  }
  return {*dtype,
          static_cast<i64>(rows),
          static_cast<i64>(cols),
          {static_cast<int>(tile_rows), static_cast<int>(tile_cols)}};
}

}  // namespace wcodec
