// Tensors of a checkpoint, and the interface that every kind of checkpoint file meets.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/dtype.hpp"
#include "core/types.hpp"

namespace wcodec {

// Description of one tensor. N-D tensors are seen as matrices: rows = product of all but the last dimension.
// A 1-D tensor has one row; a 0-D tensor is 1×1. A dimension of zero gives zero rows.
struct TensorInfo {
  std::string name;            // as in the file; may hold anything: print it through `printable`
  DType dtype = DType::uint8;  // of the elements that `read_rows` delivers
  std::vector<i64> shape;
  i64 rows = 0, cols = 0;
  std::string kind;         // see tensor_kind.hpp
  u64 source_bytes = 0;     // bytes it takes in the file
  std::string source_type;  // how the file calls its encoding: "BF16", "Q4_K", "int4:nibbles=low-first,bias=8"
  std::size_t file = 0;     // which of Checkpoint::files() it lies in

  u64 weights() const noexcept { return static_cast<u64>(rows) * static_cast<u64>(cols); }
  u64 memory_bytes() const noexcept { return weights() * static_cast<u64>(info(dtype).memory_bytes); }
};

// One opened checkpoint. Immutable after opening; `read_rows` may be called from many threads at once.
class Checkpoint {
 public:
  virtual ~Checkpoint() = default;
  const std::vector<TensorInfo>& tensors() const noexcept { return tensors_; }
  // Rows [first, first + count) of tensor `index`, row-major little-endian, into `out` (exactly count · cols ·
  // memory_bytes). Positioned reads into bounded windows: throws Error{truncated} when the file has shrunk meanwhile.
  virtual void read_rows(std::size_t index, i64 first, i64 count, MutBytes out) const = 0;
  std::vector<u8> read(std::size_t index) const {
    std::vector<u8> bytes(tensors_.at(index).memory_bytes());
    read_rows(index, 0, tensors_[index].rows, bytes);
    return bytes;
  }
  // Files it is made of, for provenance (none for synthetic data).
  const std::vector<std::string>& files() const noexcept { return files_; }

 protected:
  std::vector<TensorInfo> tensors_;
  std::vector<std::string> files_;
};

}  // namespace wcodec
