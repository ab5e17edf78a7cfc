#include "core/sources/describe.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/tensor_kind.hpp"

namespace wcodec {

std::optional<u64> element_count(std::span<const i64> shape) noexcept {
  i64 count = 1;
  bool empty = false;
  for (const i64 side : shape) {
    if (side < 0) return std::nullopt;
    empty = empty || side == 0;
    if (side != 0 && __builtin_mul_overflow(count, side, &count)) return std::nullopt;
  }
  return empty ? 0 : static_cast<u64>(count);
}

TensorInfo describe_tensor(std::string name, DType dtype, std::vector<i64> shape, u64 source_bytes,
                           std::string source_type) {
  TensorInfo tensor;
  tensor.cols = shape.empty() ? 1 : shape.back();
  const u64 elements = element_count(shape).value_or(0);
  // An empty tensor has no rows, however long its other sides are: nobody should loop over 2^40 rows of nothing.
  tensor.rows = elements == 0 ? 0 : static_cast<i64>(elements) / tensor.cols;
  tensor.kind = tensor_kind(name, shape.size());
  tensor.name = std::move(name);
  tensor.dtype = dtype;
  tensor.shape = std::move(shape);
  tensor.source_bytes = source_bytes;
  tensor.source_type = std::move(source_type);
  return tensor;
}

std::string shown_name(sv name) {
  constexpr std::size_t kMost = 200;
  return name.size() <= kMost ? printable(name) : printable(name.substr(0, kMost)) + "…";
}

std::string tensor_label(sv file, sv name) { return fmt::format("{}: tensor '{}'", printable(file), shown_name(name)); }

void check_tensor_size(sv file, const TensorInfo& tensor, u64 max_bytes) {
  const u64 width = static_cast<u64>(info(tensor.dtype).memory_bytes);
  if (tensor.weights() > max_bytes / width) {
    throw Error(ErrorKind::limit, fmt::format("{} takes {} bytes for each of {} weights, above the limit of {} bytes "
                                              "a tensor; raise the limit to read it",
                                              tensor_label(file, tensor.name), width, tensor.weights(), max_bytes));
  }
}

void check_rows(const TensorInfo& tensor, i64 first, i64 count, std::size_t out_bytes) {
  const bool inside = first >= 0 && count >= 0 && first <= tensor.rows && count <= tensor.rows - first;
  const u64 row_bytes = static_cast<u64>(tensor.cols) * static_cast<u64>(info(tensor.dtype).memory_bytes);
  if (!inside || static_cast<u64>(count) * row_bytes != out_bytes) {
    throw Error(ErrorKind::internal, fmt::format("tensor '{}': rows {}+{} of {} were asked for into {} bytes",
                                                 printable(tensor.name), first, count, tensor.rows, out_bytes));
  }
}

}  // namespace wcodec
