// One part of a layer: bytes of the source file to the records of its planes, and back.
#pragma once

#include <vector>

#include "codec/container_index.hpp"
#include "codec/layer_plan.hpp"
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
// it holds what the index says.
std::vector<u8> decode_plane(const container::LayerEntry& layer, u64 part, std::size_t plane, Bytes record);

// All planes of a part, read from the container, to the bytes of the source file, checksum compared. Throws Error that
// names file, layer, part and offset.
std::vector<u8> read_part(const File& file, const container::LayerEntry& layer, u64 part);
// The values of one of its planes.
std::vector<u8> read_part_plane(const File& file, const container::LayerEntry& layer, u64 part, std::size_t plane);

// Estimates of the memory that a part takes while it is worked on.
u64 encode_memory(const container::LayerEntry& layer, u64 part) noexcept;
u64 decode_memory(const container::LayerEntry& layer, u64 part) noexcept;

}  // namespace wcodec
