// What a container says about itself: the fixed header and footer, and the index between them. The normative text is
// docs/format.md, "Container".
#pragma once

#include <string>
#include <vector>

#include "codec/packing.hpp"
#include "core/bytes.hpp"
#include "core/ledger.hpp"
#include "core/tensor.hpp"

namespace wcodec::container {

inline constexpr u32 kMagic = 0x43444357;        // "WCDC"
inline constexpr u32 kFooterMagic = 0x58444357;  // "WCDX"
inline constexpr u64 kHeaderBytes = 32, kFooterBytes = 32;
inline constexpr u64 kAlignment = 128;
inline constexpr u64 kSmallBytes = 4096;  // a layer below that is not aligned: padding would be a part of its size
// Bounds on what a hostile index can make a reader hold; real ones stay far below.
inline constexpr u64 kMaxIndexBytes = u64{1} << 28, kMaxLayers = u64{1} << 20, kMaxFiles = u64{1} << 16,
                     kMaxStages = u64{1} << 16, kMaxTextBytes = u64{1} << 16;
inline constexpr u64 kMaxRawBytes = u64{1} << 40;

constexpr u64 aligned(u64 offset) noexcept { return (offset + kAlignment - 1) / kAlignment * kAlignment; }

// Where a layer begins whose records take `bytes`, behind what ends at `end`.
constexpr u64 layer_start(u64 end, u64 parts, u64 bytes) noexcept {
  return parts == 1 && bytes < kSmallBytes ? end : aligned(end);
}

struct RecordEntry {
  u64 bytes = 0;
  u32 crc = 0;  // the record's own last four bytes: binds it to its place
};

// Some consecutive elements of a layer: one record a plane, one after another.
struct PartEntry {
  u64 offset = 0;      // in the container; not written, since parts are packed
  u64 bytes = 0;       // of its records
  u32 source_crc = 0;  // of the bytes in the source file
};

struct LayerEntry {
  std::string name;
  DType dtype = DType::uint8;  // of the file's elements; of the first plane of GGUF blocks
  std::vector<i64> shape;
  Packing packing = Packing::plain(DType::uint8);
  u64 gap_bytes = 0;      // raw bytes of the source file before it
  u64 part_elements = 0;  // elements a part has, but for the last; 0 for an empty layer
  u64 stages = 0;         // index into ContainerIndex::stages
  u64 offset = 0;         // in the container; 0 for an empty layer
  std::vector<PartEntry> parts;
  std::vector<RecordEntry> records;  // of all parts, planes in turn

  // Derived from the above.
  u64 elements = 0, source_bytes = 0;
  i64 cols = 0;  // elements a row

  u64 part_count() const noexcept { return part_elements == 0 ? 0 : (elements + part_elements - 1) / part_elements; }
  u64 elements_of(u64 part) const noexcept { return std::min(part_elements, elements - part * part_elements); }
  u64 source_bytes_of(u64 part) const noexcept {
    return elements_of(part) / packing.unit_elements() * packing.unit_bytes();
  }
  // The matrix that a plane of a part is coded as: whole rows where parts are made of them, otherwise one row.
  std::pair<i64, i64> plane_shape(std::size_t plane, u64 part) const noexcept;
};

enum class RawMethod : u8 { stored = 0, zstd = 1 };

struct FileEntry {
  std::string name;
  u64 layers = 0;      // that many of ContainerIndex::layers, after those of the files before
  u64 tail_bytes = 0;  // raw bytes after the last layer
  RawMethod method = RawMethod::stored;
  u64 raw_coded_bytes = 0;
  u64 raw_offset = 0;     // in the container; 0 without raw bytes
  u32 raw_coded_crc = 0;  // as they lie in the container
  u32 raw_crc = 0;        // as they lie in the source file

  // Derived.
  u64 first_layer = 0;
  u64 raw_bytes = 0, bytes = 0;  // all gaps and the tail; of the source file
};

struct ContainerIndex {
  std::string model_name;
  std::vector<std::string> stages;
  std::vector<FileEntry> files;
  std::vector<LayerEntry> layers;
  Ledger records;  // sum over all records

  u64 source_bytes() const noexcept;
};

struct IndexLimits {
  u64 max_part_weights;
};

// Sets what is derived of name, shape and packing. False when the shape has too many elements or is not whole units.
bool derive_sizes(LayerEntry& layer) noexcept;

std::vector<u8> header_bytes();
std::vector<u8> footer_bytes(u64 index_offset, Bytes index);
std::vector<u8> index_bytes(const ContainerIndex& index);

// Throws Error{corrupt | unsupported}; `file` is for messages.
void check_header(Bytes header, sv file);
struct Footer {
  u64 index_offset, index_bytes;
  u32 index_crc;
};
// `file_bytes` is the size of the container: header, index and footer must fit into it.
Footer read_footer(Bytes footer, u64 file_bytes, sv file);
// Checks that layers and raw bytes cover [header, index_offset) without holes or overlap and that everything in the
// index agrees with itself. Allocates in proportion to the index only.
ContainerIndex read_index(Bytes index, u64 index_offset, const IndexLimits& limits, sv file);

}  // namespace wcodec::container
