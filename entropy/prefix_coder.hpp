// Pairs of symbols in a length-limited prefix code, over raw low bits where these hold nothing to gain: almost rANS's
// ratio at a fraction of its work.
#pragma once

#include "entropy/chunked_stream.hpp"
#include "entropy/entropy_coder.hpp"
#include "entropy/pair_code.hpp"

namespace wcodec {

extern const EntropyCoder kPrefixCoder;

// What stands before the chunks of a plane. A stored one is as read_raw reads it, a constant one has no chunks.
struct PrefixHeader {
  enum Kind : u8 { kStoredRaw = 0, kConstant = 1, kPairs = 2 };  // on the wire
  Kind kind = kStoredRaw;
  u8 symbol = 0;          // constant
  StreamLayout layout{};  // pairs
  PairCode code;
};
// Of a plane of `count` ≥ 1 symbols. Throws Error{corrupt | truncated}.
PrefixHeader read_prefix_header(ByteReader& in, int bits, u64 count);

}  // namespace wcodec
