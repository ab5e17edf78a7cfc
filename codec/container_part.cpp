#include "codec/container_part.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/sources/describe.hpp"

namespace wcodec {

using container::LayerEntry;

namespace {

[[noreturn]] void corrupt(const char* what) { throw Error(ErrorKind::corrupt, what); }

// Names the place in front of what went wrong there.
template <class Work>
auto naming_part(const File& file, const LayerEntry& layer, u64 part, Work work) {
  try {
    return work();
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::io) throw;
    throw at_part(file, layer, part, error);
  }
}

u64 values_of(const LayerEntry& layer, u64 part) noexcept {
  u64 values = 0;
  for (const PackedPlane& plane : layer.packing.planes()) values += plane.per_unit;
  return layer.elements_of(part) / layer.packing.unit_elements() * values;
}

u64 value_bytes(const LayerEntry& layer) noexcept {
  return static_cast<u64>(info(layer.packing.planes()[0].dtype).memory_bytes);
}

}  // namespace

EncodedPart encode_part(const LayerEntry& layer, u64 part, std::span<const LayerPlan> plans, Bytes source,
                        bool verify) {
  EncodedPart out;
  out.source_crc = crc32(source);
  for (std::size_t plane = 0; plane < layer.packing.planes().size(); ++plane) {
    const auto [rows, cols] = layer.plane_shape(plane, part);
    QuantizedTensor tensor{
        rows, cols, word_format(info(layer.packing.planes()[plane].dtype)), layer.packing.unpack(plane, source), {}};
    EncodedTensor encoded = encode_smallest(tensor, plans[plane].plans);
    out.ledger += encoded.ledger;
    out.records.push_back(std::move(encoded.bytes));
  }
  if (!verify) return out;
  std::vector<std::vector<u8>> planes;
  for (const auto& record : out.records) planes.push_back(decode_tensor(record).words);
  const std::vector<u8> back = layer.packing.pack(std::move(planes));
  if (back.size() != source.size() || std::memcmp(back.data(), source.data(), back.size()) != 0) {
    throw Error(ErrorKind::internal,
                fmt::format("layer '{}', part {}: what was encoded does not decode to the same bytes; please report it",
                            shown_name(layer.name), part));
  }
  return out;
}

Error at_part(const File& file, const LayerEntry& layer, u64 part, const Error& error) {
  const std::string name = shown_name(layer.name);
  const u64 offset = layer.parts[part].offset;
  return Error(error.kind(),
               fmt::format("{}: layer '{}', part {} at offset {}: {}", file.shown(), name, part, offset, error.what()),
               {file.shown(), name, static_cast<i64>(offset)});
}

u64 record_offset(const LayerEntry& layer, u64 part, std::size_t plane) noexcept {
  const container::RecordEntry* const records = &layer.records[part * layer.packing.planes().size()];
  u64 offset = layer.parts[part].offset;
  for (std::size_t before = 0; before < plane; ++before) offset += records[before].bytes;
  return offset;
}

void check_record_place(const LayerEntry& layer, u64 part, std::size_t plane, Bytes record) {
  const container::RecordEntry& entry = layer.records[part * layer.packing.planes().size() + plane];
  u32 crc = 0;
  if (record.size() < sizeof crc) corrupt("tensor record: shorter than its checksum");
  std::memcpy(&crc, record.data() + record.size() - sizeof crc, sizeof crc);
  if (crc != entry.crc) corrupt("this is not the record that belongs here (checksum mismatch)");
}

void check_record_shape(const LayerEntry& layer, u64 part, std::size_t plane, i64 rows, i64 cols,
                        const WordFormat& format, bool has_scales) {
  if (std::pair(rows, cols) != layer.plane_shape(plane, part) || has_scales ||
      format != word_format(info(layer.packing.planes()[plane].dtype))) {
    corrupt("the record holds another shape or type than the index says");
  }
}

std::vector<u8> decode_plane(const LayerEntry& layer, u64 part, std::size_t plane, Bytes record,
                             RecordDecoder* decoder) {
  check_record_place(layer, part, plane, record);
  const auto [rows, cols] = layer.plane_shape(plane, part);
  const u64 weights = static_cast<u64>(rows) * static_cast<u64>(cols);
  QuantizedTensor tensor = decoder == nullptr ? decode_tensor(record, weights) : decoder->decode(record, weights);
  check_record_shape(layer, part, plane, tensor.rows, tensor.cols, tensor.format, !tensor.scales.empty());
  return std::move(tensor.words);
}

std::vector<u8> read_part(const File& file, const LayerEntry& layer, u64 part, RecordDecoder* decoder) {
  return naming_part(file, layer, part, [&] {
    std::vector<std::vector<u8>> planes;
    u64 offset = layer.parts[part].offset;
    for (std::size_t plane = 0; plane < layer.packing.planes().size(); ++plane) {
      std::vector<u8> record(layer.records[part * layer.packing.planes().size() + plane].bytes);
      file.read_at(offset, record);
      offset += record.size();
      planes.push_back(decode_plane(layer, part, plane, record, decoder));
    }
    std::vector<u8> source = layer.packing.pack(std::move(planes));
    if (crc32(source) != layer.parts[part].source_crc) corrupt("checksum mismatch of the decoded bytes");
    return source;
  });
}

std::vector<u8> read_part_plane(const File& file, const LayerEntry& layer, u64 part, std::size_t plane,
                                RecordDecoder* decoder) {
  if (layer.packing.planes().size() == 1) return layer.packing.unpack(0, read_part(file, layer, part, decoder));
  return naming_part(file, layer, part, [&] {
    std::vector<u8> record(layer.records[part * layer.packing.planes().size() + plane].bytes);
    file.read_at(record_offset(layer, part, plane), record);
    return decode_plane(layer, part, plane, record, decoder);
  });
}

u64 encode_memory(const LayerEntry& layer, u64 part) noexcept {
  return values_of(layer, part) * (7 + 6 * value_bytes(layer));
}

u64 decode_memory(const LayerEntry& layer, u64 part) noexcept {
  return values_of(layer, part) * (3 + 3 * value_bytes(layer));
}

}  // namespace wcodec
