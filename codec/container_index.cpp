#include "codec/container_index.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "codec/format_version.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/sources/describe.hpp"

namespace wcodec::container {
namespace {

void write_text(ByteWriter& out, sv text) {
  out.varint(text.size());
  out.append(Bytes(reinterpret_cast<const u8*>(text.data()), text.size()));
}

void write_packing(ByteWriter& out, const Packing& packing) {
  out.write(packing.kind());
  if (packing.kind() == PackingKind::gguf) {
    out.varint(packing.gguf_type()->id);
    out.write(static_cast<u8>(packing.planes().size()));
  }
  if (packing.kind() == PackingKind::view) {
    out.write(packing.view_spec().dtype);
    out.write(static_cast<u8>(packing.view_spec().high_first));
    out.write(packing.view_spec().bias);
  }
}

void write_layer(ByteWriter& out, const LayerEntry& layer) {
  write_text(out, layer.name);
  out.write(layer.dtype);
  out.varint(layer.shape.size());
  for (const i64 side : layer.shape) out.varint(static_cast<u64>(side));
  write_packing(out, layer.packing);
  out.varint(layer.gap_bytes);
  out.varint(layer.stages);
  out.varint(layer.part_elements);
  if (layer.part_elements == 0) return;
  out.varint(layer.offset);
  const std::size_t planes = layer.packing.planes().size();
  for (std::size_t part = 0; part < layer.parts.size(); ++part) {
    out.write(layer.parts[part].source_crc);
    for (std::size_t plane = 0; plane < planes; ++plane) {
      const RecordEntry& record = layer.records[part * planes + plane];
      out.varint(record.bytes);
      out.write(record.crc);
    }
  }
}

}  // namespace

std::pair<i64, i64> LayerEntry::plane_shape(std::size_t plane, u64 part) const noexcept {
  const auto count = static_cast<i64>(elements_of(part)),
             per_row = part_elements % static_cast<u64>(cols) == 0 ? cols : count;
  const auto unit = static_cast<i64>(packing.unit_elements());
  return {count / per_row, per_row / unit * static_cast<i64>(packing.planes()[plane].per_unit)};
}

u64 ContainerIndex::source_bytes() const noexcept {
  u64 total = 0;
  for (const FileEntry& file : files) total += file.bytes;
  return total;
}

bool derive_sizes(LayerEntry& layer) noexcept {
  const auto count = element_count(layer.shape);
  if (!count) return false;
  const u64 unit = layer.packing.unit_elements();
  layer.elements = *count;
  layer.cols = layer.shape.empty() ? 1 : layer.shape.back();
  if (static_cast<u64>(layer.cols) % unit != 0) return false;
  // Values of a plane are counted in 63 bits too.
  u64 values = 0;
  return !__builtin_mul_overflow(*count / unit, layer.packing.unit_bytes(), &layer.source_bytes) &&
         layer.source_bytes <= u64{INT64_MAX} &&
         !__builtin_mul_overflow(*count / unit, layer.packing.most_per_unit(), &values) && values <= u64{INT64_MAX};
}

std::vector<u8> header_bytes() {
  ByteWriter out;
  out.write(kMagic);
  out.write(kFormatVersion);
  out.bytes.resize(kHeaderBytes - sizeof(u32));
  out.write(crc32(out.bytes));
  return out.bytes;
}

std::vector<u8> footer_bytes(u64 index_offset, Bytes index) {
  ByteWriter out;
  out.write(index_offset);
  out.write(static_cast<u64>(index.size()));
  out.write(crc32(index));
  out.write(u32{0});
  out.write(kFooterMagic);
  out.write(crc32(out.bytes));
  return out.bytes;
}

std::vector<u8> index_bytes(const ContainerIndex& index) {
  ByteWriter out;
  write_text(out, index.model_name);
  out.varint(index.stages.size());
  for (const std::string& stages : index.stages) write_text(out, stages);
  for (const u64 bytes : index.records.bytes) out.varint(bytes);
  out.varint(index.files.size());
  for (const FileEntry& file : index.files) {
    write_text(out, file.name);
    out.varint(file.layers);
    for (u64 i = 0; i < file.layers; ++i) write_layer(out, index.layers[file.first_layer + i]);
    out.varint(file.tail_bytes);
    if (file.raw_bytes == 0) continue;
    out.write(file.method);
    out.varint(file.raw_offset);
    out.varint(file.raw_coded_bytes);
    out.write(file.raw_coded_crc);
    out.write(file.raw_crc);
  }
  return out.bytes;
}

}  // namespace wcodec::container
