#include <algorithm>
#include <bit>
#include <cstring>

#include <fmt/format.h>

#include "core/error.hpp"
#include "products/integer_tile.hpp"
#include "products/pack_image.hpp"
#include "quantizers/scaling.hpp"

namespace wcodec {
namespace {

[[noreturn]] void refuse(const QuantizerChoice& quantizer, const std::string& why) {
  throw Error(ErrorKind::unsupported, fmt::format("a product cannot take '{}': {}", to_string(quantizer), why));
}

struct Scales {
  Scaling scaling;
  bool symmetric;
};

// Of a spec that parse_quantizer has checked, as the quantizers themselves read it.
Scales read_scales(const QuantizerChoice& quantizer) {
  Spec spec = quantizer.spec;
  const auto axis = spec.options.find("axis");
  if (axis != spec.options.end() && axis->second != "group") spec.options.try_emplace("group", "0");
  const OptionReader options(spec, quantizer.row->options);
  return {read_scaling(options), quantizer.row->name != "int4" || options.flag("symmetric")};
}

// 2^shift tiles share a scale; 30 for a whole row.
int group_shift(const Scaling& scaling, const QuantizerChoice& quantizer) {
  if (scaling.axis == Axis::row || scaling.axis == Axis::tensor) return 30;
  if (scaling.axis == Axis::column) refuse(quantizer, "scales by column; use axis=row or group=128");
  const auto group = static_cast<u64>(scaling.group);
  if (group % kTileCols != 0 || !std::has_single_bit(group / kTileCols)) {
    refuse(quantizer, "a group must be 64, 128, 256 … weights");
  }
  return std::countr_zero(group / kTileCols);
}

// Puts scales, and zero points where there are any, where lanes read them: [tile row][group][row].
void pack_scales(PackedMatrix& out, const QuantizedTensor& tensor, const Scales& how) {
  PackedShape& shape = out.shape;
  const u64 count = scale_count(how.scaling, tensor.rows, tensor.cols);
  const u64 width = how.scaling.stored == DType::f32 ? 4 : 2;
  if (tensor.scales.size() != count * (width + (how.symmetric ? 0 : 1))) {
    throw Error(ErrorKind::usage,
                fmt::format("{} x {} weights with {} scales have {} bytes of them, not {}", tensor.rows, tensor.cols,
                            count, count * (width + (how.symmetric ? 0 : 1)), tensor.scales.size()));
  }
  const bool has_groups = how.scaling.axis == Axis::group;
  shape.groups = has_groups ? (tensor.cols + how.scaling.group - 1) / how.scaling.group : 1;
  shape.has_row_scales = !has_groups;
  shape.has_half_scales = has_groups && how.scaling.stored == DType::f16;
  const std::vector<float> values = load_scales(Bytes(tensor.scales).first(count * width), how.scaling.stored);
  const u64 packed_width = shape.has_half_scales ? 2 : 4;
  const u64 places = static_cast<u64>(shape.tile_rows() * shape.groups) * kTileRows;
  std::vector<u8> scales(places * packed_width), zeros(how.symmetric ? 0 : places);
  for (i64 row = 0; row < tensor.rows; ++row) {
    for (i64 group = 0; group < shape.groups; ++group) {
      const i64 col = has_groups ? group * how.scaling.group : 0;
      const u64 from = scale_index(how.scaling, tensor.cols, row, col);
      const auto to = static_cast<u64>((row / kTileRows * shape.groups + group) * kTileRows + row % kTileRows);
      const void* const scale = shape.has_half_scales ? static_cast<const void*>(tensor.scales.data() + from * width)
                                                      : static_cast<const void*>(&values[from]);
      std::memcpy(scales.data() + to * packed_width, scale, packed_width);
      if (!how.symmetric) zeros[to] = tensor.scales[count * width + from];
    }
  }
  shape.scales_at = append_to_image(out, scales);
  if (!how.symmetric) shape.zeros_at = append_to_image(out, zeros);
}

// Calls put(tile, lane, below, step, column, word) for every weight; `below` is 1 for the tile's rows 8 … 15.
template <class Put>
void put_weights(PackedMatrix& out, const QuantizedTensor& tensor, i64 tile_bytes, const Put& put) {
  for_each_tile_row(out.shape, [&](i64 tile_row) {
    for (i64 row = tile_row * kTileRows; row < std::min(tensor.rows, (tile_row + 1) * kTileRows); ++row) {
      for (i64 col = 0; col < tensor.cols; ++col) {
        const auto [quarter, step, column] = column_place(col);
        u8* tile = out.image.data() + (tile_row * out.shape.tile_cols() + col / kTileCols) * tile_bytes;
        put(tile, row % 8 * 4 + quarter, row % kTileRows / 8, step, column,
            tensor.words[static_cast<u64>(row * tensor.cols + col)]);
      }
    }
  });
}

PackedMatrix pack_int8(const QuantizedTensor& tensor, const QuantizerChoice& quantizer) {
  PackedMatrix out = begin_packing(PackedFormat::int8, tensor.rows, tensor.cols, tensor.words.size(), Int8Tile::kBytes);
  if (std::find(tensor.words.begin(), tensor.words.end(), 0x80) != tensor.words.end()) {
    refuse(quantizer, "a code is -128, which this quantizer does not make");
  }
  const Scales how = read_scales(quantizer);
  out.shape.group_shift = group_shift(how.scaling, quantizer);
  put_weights(out, tensor, Int8Tile::kBytes, [](u8* tile, i64 lane, i64 below, int step, int column, u8 word) {
    tile[(step / 2 * kWarpLanes + lane) * 16 + step % 2 * 8 + below * 4 + column] =
        Int8Tile::code(static_cast<i8>(word));
  });
  pack_scales(out, tensor, how);
  return out;
}

PackedMatrix pack_int4(const QuantizedTensor& tensor, const QuantizerChoice& quantizer) {
  PackedMatrix out = begin_packing(PackedFormat::int4, tensor.rows, tensor.cols, tensor.words.size(), Int4Tile::kBytes);
  const Scales how = read_scales(quantizer);
  out.shape.group_shift = group_shift(how.scaling, quantizer);
  const int offset = how.symmetric ? Int4Tile::kSymmetricZero : 0;
  const auto is_code = [&](u8 word) {
    const int stored = (how.symmetric ? static_cast<i8>(word) : word) + offset;
    return stored >= 0 && stored <= 15;
  };
  if (!std::all_of(tensor.words.begin(), tensor.words.end(), is_code)) refuse(quantizer, "a code has more than 4 bits");
  put_weights(out, tensor, Int4Tile::kBytes, [&](u8* tile, i64 lane, i64 below, int step, int column, u8 word) {
    u8* const at = tile + lane * 16 + step * 4;
    const int stored = (how.symmetric ? static_cast<i8>(word) : word) + offset;
    u32 eight;
    std::memcpy(&eight, at, 4);
    eight |= static_cast<u32>(stored) << Int4Tile::shift(column / 2 * 2 + static_cast<int>(below), column % 2);
    std::memcpy(at, &eight, 4);
  });
  pack_scales(out, tensor, how);
  return out;
}

}  // namespace

PackedMatrix pack(const QuantizedTensor& tensor, const QuantizerChoice& quantizer) {
  if (quantizer.row->name == "int8" && tensor.format == word_format(info(DType::int8))) {
    return pack_int8(tensor, quantizer);
  }
  if (quantizer.row->name == "int4" &&
      (tensor.format == word_format(info(DType::int4)) || tensor.format == word_format(info(DType::uint4)))) {
    return pack_int4(tensor, quantizer);
  }
  if (quantizer.row->name == "lossless" && tensor.format == word_format(info(DType::bf16))) {
    std::vector<u16> weights(tensor.words.size() / sizeof(u16));
    std::memcpy(weights.data(), tensor.words.data(), weights.size() * sizeof(u16));
    PackedMatrix coded = pack_bf16_palette(tensor.rows, tensor.cols, weights);
    const u64 plain_size = static_cast<u64>(coded.shape.tile_rows() * coded.shape.tile_cols()) * 2 * kTileWeights;
    return coded.image.size() < plain_size ? std::move(coded) : pack_bf16_plain(tensor.rows, tensor.cols, weights);
  }
  refuse(quantizer, fmt::format("words of {} bits that are not bf16, int8 or int4", tensor.format.bits));
}

}  // namespace wcodec
