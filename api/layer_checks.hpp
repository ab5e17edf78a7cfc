// Layers as callers of the C interface describe them, checked.
#pragma once

#include <wcodec.h>

#include "core/dtype.hpp"
#include "quantizers/quantized.hpp"

namespace wcodec::api {

inline bool is_dtype(wcodec_dtype dtype) noexcept { return dtype >= WCODEC_BOOL && dtype <= WCODEC_C64; }
const DTypeInfo& checked(wcodec_dtype dtype);  // throws Error{usage}

// rows · cols; throws Error{limit} above `max_weights`.
u64 checked_weights(u64 rows, u64 cols, u64 max_weights);

// A copy of the layer. Throws Error{usage} where `size` is not that of the elements, where there are none although
// there should be, and where elements of a few bits are no such: a coder that ignores the upper bits would not give
// them back.
QuantizedTensor checked_layer(wcodec_dtype dtype, u64 rows, u64 cols, const void* elements, std::size_t size,
                              u64 max_weights);

}  // namespace wcodec::api
