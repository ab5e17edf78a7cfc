// A container opened and checked, but for the layers' records.
#pragma once

#include <string>

#include "codec/container_index.hpp"
#include "core/sources/file.hpp"

namespace wcodec::container {

struct ContainerFile {
  File file;
  ContainerIndex index;
  Ledger ledger;  // of all bytes of the container
};

// Reads header, footer and index. Throws Error{not_found | io | truncated | corrupt | unsupported | limit}.
ContainerFile open_container(const std::string& path, const IndexLimits& limits);

// Throws Error{corrupt} unless the padding before `offset` (of a layer, raw bytes or the index) is zero.
void check_padding(const File& file, u64 from, u64 offset);

}  // namespace wcodec::container
