// Short streams of side information (tile modes, class levels, predictor parameters): constant, packed bits or order-0
// rANS, whichever is smallest.
#pragma once

#include "core/ledger_writer.hpp"

namespace wcodec {

// `values` are below 2^bits (1…8). All bytes are booked under `entry`.
void write_side_stream(Bytes values, int bits, LedgerEntry entry, LedgerWriter& out);
// Reads `count` values below `limit`. Throws Error{corrupt} or Error{truncated}.
std::vector<u8> read_side_stream(ByteReader& in, u64 count, int bits, int limit, const char* what);

}  // namespace wcodec
