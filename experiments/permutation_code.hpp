// A permutation as a number: what listing an order of n rows costs when nothing is known about it, log2(n!) bits.
//
// The digits are those of Myrvold and Ruskey, "Ranking and unranking permutations in linear time" (2001), in mixed
// radix. They are written in blocks of at most 4096 bits, each rounded up to whole bytes, so that both directions take
// linear time: at most a byte in 500 above log2(n!), and a byte.
#pragma once

#include <span>
#include <vector>

#include "core/ledger_writer.hpp"

namespace wcodec {

// `permutation` holds 0 … n−1, each once; n < 2^32, or Error{limit}. All bytes are booked under `param`. Nothing is
// written for n < 2.
void write_permutation(std::span<const u32> permutation, LedgerWriter& out);
// Any bytes that are read are a permutation of `count`, or Error{corrupt | truncated | limit}.
std::vector<u32> read_permutation(ByteReader& in, u64 count);

}  // namespace wcodec
