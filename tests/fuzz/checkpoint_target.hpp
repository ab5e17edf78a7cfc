// What the targets of checkpoint readers do with a file that opens: read every tensor of moderate size.
#pragma once

#include "core/error.hpp"
#include "core/tensor.hpp"
#include "tests/fuzz/memory_file.hpp"

namespace wcodec::fuzz {

template <class Open>
int read_checkpoint(Bytes input, Open open) {
  const MemoryFile file(input);
  try {
    const auto checkpoint = open(file.path());
    u64 in_file = 0, in_memory = 0;
    for (const TensorInfo& tensor : checkpoint->tensors()) {
      in_file += tensor.source_bytes;
      in_memory += tensor.memory_bytes();
    }
    check(in_file <= input.size(), "tensors lie inside the file and do not overlap");
    // The widest unpacking is int4 to a byte each.
    check(in_memory <= 2 * input.size() + 64 * checkpoint->tensors().size(), "tensors are no larger than their bytes");
    for (std::size_t i = 0; i < checkpoint->tensors().size(); ++i) checkpoint->read(i);
  } catch (const Error&) {
  }
  return 0;
}

}  // namespace wcodec::fuzz
