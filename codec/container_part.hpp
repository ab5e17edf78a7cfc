// One part of a layer: bytes of the source file to the records of its planes, and back.
#pragma once

#include <vector>

#include "codec/container_index.hpp"
#include "codec/layer_plan.hpp"
#include "codec/record_decoder.hpp"
#include "core/error.hpp"
#include "core/sources/file.hpp"

namespace wcodec {

struct EncodedPart {
  std::vector<std::vector<u8>> records;  // one a plane
  u32 source_crc = 0;
  Ledger ledger;
};

// `source` are the part's bytes, `plans` one a plane. With `verify` the records are decoded again and compared:
// Error{internal} if they differ.
EncodedPart encode_part(const container::LayerEntry& layer, u64 part, std::span<const LayerPlan> plans, Bytes source,
                        bool verify);

// The values of one plane, as Packing::unpack gives them. Checks that `record` is the one that belongs there and that
// it holds what the index says. `decoder` decodes, here and below; the CPU where it is null.
std::vector<u8> decode_plane(const container::LayerEntry& layer, u64 part, std::size_t plane, Bytes record,
                             RecordDecoder* decoder = nullptr);
// These checks alone: before the record is decoded, and of what it says it holds. They throw Error{corrupt}.
void check_record_place(const container::LayerEntry& layer, u64 part, std::size_t plane, Bytes record);
void check_record_shape(const container::LayerEntry& layer, u64 part, std::size_t plane, i64 rows, i64 cols,
                        const WordFormat& format, bool has_scales);
// The place of a record in the container.
u64 record_offset(const container::LayerEntry& layer, u64 part, std::size_t plane) noexcept;
// The same error, naming file, layer, part and offset.
Error at_part(const File& file, const container::LayerEntry& layer, u64 part, const Error& error);

// All planes of a part, read from the container, to the bytes of the source file, checksum compared. Throws Error that
// names file, layer, part and offset.
std::vector<u8> read_part(const File& file, const container::LayerEntry& layer, u64 part,
                          RecordDecoder* decoder = nullptr);
// The values of one of its planes.
std::vector<u8> read_part_plane(const File& file, const container::LayerEntry& layer, u64 part, std::size_t plane,
                                RecordDecoder* decoder = nullptr);

// Estimates of the memory that a part takes while it is worked on.
u64 encode_memory(const container::LayerEntry& layer, u64 part) noexcept;
u64 decode_memory(const container::LayerEntry& layer, u64 part) noexcept;

}  // namespace wcodec
