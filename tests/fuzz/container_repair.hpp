// Mends the checksums of a damaged container from the records outwards: record, index, footer and header.
#pragma once

#include <cstring>

#include "codec/container_index.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"

namespace wcodec::fuzz {

inline void put_crc(MutBytes bytes) {
  const u32 crc = crc32(bytes.first(bytes.size() - sizeof(u32)));
  std::memcpy(bytes.data() + bytes.size() - sizeof crc, &crc, sizeof crc);
}

// As far as the index can be read: what lies before it gets the checksums that the index is then made to say.
inline void repair_records(MutBytes container, MutBytes index) {
  container::ContainerIndex parsed;
  try {
    parsed = container::read_index(index, static_cast<u64>(index.data() - container.data()), {u64{1} << 16}, "");
  } catch (const Error&) {
    return;
  }
  for (container::LayerEntry& layer : parsed.layers) {
    const std::size_t planes = layer.packing.planes().size();
    for (std::size_t part = 0; part < layer.parts.size(); ++part) {
      u64 offset = layer.parts[part].offset;
      for (std::size_t plane = 0; plane < planes; ++plane) {
        container::RecordEntry& entry = layer.records[part * planes + plane];
        const MutBytes record = container.subspan(offset, entry.bytes);
        offset += entry.bytes;
        if (record.size() < sizeof(u32)) continue;
        put_crc(record);
        std::memcpy(&entry.crc, record.data() + record.size() - sizeof entry.crc, sizeof entry.crc);
      }
    }
  }
  for (container::FileEntry& file : parsed.files)
    file.raw_coded_crc = crc32(container.subspan(file.raw_offset, file.raw_coded_bytes));
  const std::vector<u8> mended = container::index_bytes(parsed);
  if (mended.size() == index.size()) std::memcpy(index.data(), mended.data(), mended.size());
}

inline void repair_container(MutBytes input) {
  using container::kAlignment, container::kFooterBytes, container::kHeaderBytes;
  if (input.size() < kHeaderBytes + kFooterBytes) return;
  put_crc(input.first(kHeaderBytes));
  const MutBytes footer = input.last(kFooterBytes);
  const u64 end = input.size() - kFooterBytes;
  // The index begins where the footer says, or else at the last place it can; its size follows.
  u64 offset = 0;
  std::memcpy(&offset, footer.data(), sizeof offset);
  if (offset > end || offset % kAlignment != 0) offset = end / kAlignment * kAlignment;
  const u64 size = end - offset;
  const MutBytes index = input.subspan(offset, size);
  repair_records(input, index);
  const u32 crc = crc32(index);
  std::memcpy(footer.data(), &offset, sizeof offset);
  std::memcpy(footer.data() + 8, &size, sizeof size);
  std::memcpy(footer.data() + 16, &crc, sizeof crc);
  put_crc(footer);
}

}  // namespace wcodec::fuzz
