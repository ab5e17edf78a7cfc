// Static rANS with one table a tensor, a tile, or a context of row and column scale.
#pragma once

#include <optional>

#include "entropy/entropy_coder.hpp"
#include "entropy/frequency_table.hpp"

namespace wcodec {

extern const EntropyCoder kRansCoder;

// What stands before the chunks of a plane with one table, for decoders of another kind. A constant plane has no
// chunks; a stored one is as read_raw reads it.
struct RansHeader {
  bool is_stored = false, is_constant = false;
  FrequencyTable table;
  int log2_chunk = 0;
};
// Nothing where a plane has several tables. Throws Error{corrupt | truncated} as decoding does.
std::optional<RansHeader> read_rans_header(ByteReader& in, int bits);

}  // namespace wcodec
