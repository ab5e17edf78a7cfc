// What the first bytes of a tensor record say, for callers that provide the memory it is decoded into.
#pragma once

#include <optional>

#include "core/dtype.hpp"
#include "core/tile.hpp"
#include "quantizers/quantized.hpp"

namespace wcodec {

struct RecordInfo {
  DType dtype = DType::uint8;
  i64 rows = 0, cols = 0;
  TileShape tile;
};

// The first type, in the order of DType, whose words have this format: a record does not tell bytes from booleans, and
// calls them bytes. Nothing for a format that no type has.
std::optional<DType> dtype_of(const WordFormat& format) noexcept;

// Neither the checksum nor what follows is looked at: `decode_tensor` does that. Throws Error{truncated | corrupt |
// unsupported}, and Error{limit} above `max_weights`.
RecordInfo describe_record(Bytes record, u64 max_weights);

}  // namespace wcodec
