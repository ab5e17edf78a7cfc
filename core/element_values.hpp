// Elements of any type as double precision numbers, for statistics.
#pragma once

#include <span>

#include "core/dtype.hpp"
#include "core/types.hpp"

namespace wcodec {

// False for complex elements, which are not one number each.
bool has_element_values(DType dtype) noexcept;

// Converts out.size() elements as `Checkpoint::read_rows` delivers them; exact but for integers beyond 2^53. `bytes`
// must have their size and `has_element_values(dtype)` must hold.
void element_values(DType dtype, Bytes bytes, std::span<double> out) noexcept;

}  // namespace wcodec
