#include "codec/container_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <new>

#include "core/error.hpp"
#include "core/hash.hpp"

namespace wcodec::container {
namespace {

// What is not in records; padding is what remains, and `read_index` has made sure that nothing else can.
Ledger account(const ContainerIndex& index, u64 file_bytes, u64 index_bytes) {
  constexpr u64 kChecksums = 3 * sizeof(u32);
  Ledger ledger = index.records;
  ledger[LedgerEntry::header] += kHeaderBytes + kFooterBytes - kChecksums;
  for (const FileEntry& file : index.files) ledger[LedgerEntry::header] += file.raw_coded_bytes;
  ledger[LedgerEntry::crc] += kChecksums;
  ledger[LedgerEntry::index] += index_bytes;
  ledger[LedgerEntry::padding] += file_bytes - ledger.total();
  return ledger;
}

}  // namespace

ContainerFile open_container(const std::string& path, const IndexLimits& limits) {
  File file(path);
  const std::string shown = file.shown();
  if (file.size() < kHeaderBytes + kFooterBytes) {
    throw Error(ErrorKind::truncated,
                fmt::format("{}: {} bytes are too few for a container; fetch it again", shown, file.size()));
  }
  std::array<u8, kHeaderBytes> header{};
  file.read_at(0, header);
  check_header(header, shown);
  std::array<u8, kFooterBytes> bytes{};
  file.read_at(file.size() - kFooterBytes, bytes);
  const Footer footer = read_footer(bytes, file.size(), shown);
  try {
    std::vector<u8> index(footer.index_bytes);
    file.read_at(footer.index_offset, index);
    if (crc32(index) != footer.index_crc) {
      throw Error(ErrorKind::corrupt,
                  fmt::format("{}: checksum mismatch in the index (at offset {})", shown, footer.index_offset),
                  {std::string(shown), {}, static_cast<i64>(footer.index_offset)});
    }
    ContainerIndex parsed = read_index(index, footer.index_offset, limits, shown);
    const Ledger ledger = account(parsed, file.size(), footer.index_bytes);
    return {std::move(file), std::move(parsed), ledger};
  } catch (const std::bad_alloc&) {
    throw Error(ErrorKind::limit, fmt::format("{}: its index does not fit in memory", shown));
  }
}

void check_padding(const File& file, u64 from, u64 offset) {
  std::array<u8, kAlignment> padding{};
  const MutBytes gap(padding.data(), offset - from);
  file.read_at(from, gap);
  if (std::any_of(gap.begin(), gap.end(), [](u8 byte) { return byte != 0; })) {
    throw Error(ErrorKind::corrupt, fmt::format("{}: padding at offset {} is not zero", file.shown(), from),
                {file.shown(), {}, static_cast<i64>(from)});
  }
}

}  // namespace wcodec::container
