// The one way results reach the disk.
#pragma once

#include <string>

#include "core/types.hpp"

namespace wcodec {

// Writes `bytes` to a temporary file beside `path`, syncs it, renames it over `path` and syncs the directory: whatever
// interrupts it, `path` holds what it held before, or all of `bytes`. Creates missing directories. Throws Error{io} and
// leaves no temporary file behind.
void write_file_atomically(const std::string& path, Bytes bytes);
inline void write_file_atomically(const std::string& path, sv text) {
  write_file_atomically(path, Bytes(reinterpret_cast<const u8*>(text.data()), text.size()));
}

// The file's content, refused with Error{limit} above `limit` bytes. Throws Error{not_found} or Error{io}.
std::string read_text_file(const std::string& path, std::size_t limit = std::size_t{1} << 30);

}  // namespace wcodec
