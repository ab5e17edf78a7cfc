// What every reader does alike: describing a tensor from its header, and checking a request for rows.
#pragma once

#include <optional>
#include <span>

#include "core/tensor.hpp"

namespace wcodec {

// A longer shape is refused: no framework makes one, and it would let a small header ask for much memory.
inline constexpr std::size_t kMaxRank = 64;

// The number of elements, or nothing when a dimension is negative or the product leaves 63 bits (even if a later zero
// would undo that: the order of the dimensions must not decide).
std::optional<u64> element_count(std::span<const i64> shape) noexcept;

// Fills rows, cols and kind from name and shape, which must have passed `element_count`.
TensorInfo describe_tensor(std::string name, DType dtype, std::vector<i64> shape, u64 source_bytes,
                           std::string source_type);

// A name from a file as messages show it: escaped, and cut where it is absurdly long.
std::string shown_name(sv name);

// "FILE: tensor 'NAME'", for messages.
std::string tensor_label(sv file, sv name);

// Throws Error{limit} when the tensor is larger in memory than the caller allows.
void check_tensor_size(sv file, const TensorInfo& tensor, u64 max_bytes);

// Throws Error{internal} unless [first, first + count) are rows of the tensor and `out` is exactly their size.
void check_rows(const TensorInfo& tensor, i64 first, i64 count, std::size_t out_bytes);

}  // namespace wcodec
