// Static rANS with one table a tensor, a tile, or a context: of scale, exponent, place, transform band, neighbours.
#pragma once

#include <optional>
#include <span>

#include "entropy/chunked_stream.hpp"
#include "entropy/entropy_coder.hpp"
#include "entropy/frequency_table.hpp"

namespace wcodec {

extern const EntropyCoder kRansCoder;

// What stands before the chunks of a plane with one table, for decoders of another kind. A constant plane has no
// chunks; a stored one is as read_raw reads it.
struct RansHeader {
  bool is_stored = false, is_constant = false;
  FrequencyTable table;
  StreamLayout layout{};
};
// Of a plane of `count` ≥ 1 symbols; nothing where it has several tables. Throws Error{corrupt | truncated} as decoding
// does.
std::optional<RansHeader> read_rans_header(ByteReader& in, int bits, u64 count);

// What the encoder writes before the index and the chunks of a plane with one table, for symbols counted by `counts`
// (2^bits of them, sum `count` ≥ 1; a count is taken modulo 2^32).
RansHeader write_rans_header(std::span<const u32> counts, u64 count, const CoderOptions& options, LedgerWriter& out);
// Whether these options mean one table, for whatever plane.
bool is_one_table(const CoderOptions& options) noexcept;

}  // namespace wcodec
