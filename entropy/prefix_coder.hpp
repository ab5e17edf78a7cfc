// Pairs of symbols in a length-limited prefix code, over raw low bits where these hold nothing to gain: almost rANS's
// ratio at a fraction of its work.
#pragma once

#include <array>
#include <optional>

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

// What the encoder counts: all of a small plane, of a large one blocks of kPrefixSampleBlock symbols, prefix_stride()
// apart. Enough to make a code from; more would cost more time than it saves bits.
inline constexpr u64 kPrefixSample = u64{1} << 17, kPrefixSampleBlock = 4096;
constexpr u64 prefix_stride(u64 count) noexcept { return std::max<u64>(count / kPrefixSample, 1) * kPrefixSampleBlock; }

// What is added (modulo 2^bits) so that the likeliest symbol stands in the middle: likely symbols are neighbours then,
// although residuals wrap around.
u8 prefix_centring(const std::array<u64, 256>& counts, int bits) noexcept;
// Least and most of all symbols, what prefix_centring says having been added: of the whole plane, not of the sample.
struct SymbolRange {
  u8 least = 255, most = 0;
};

// What it decides from that, for a plane that is not constant; nothing where symbols are to be stored. Coding may yet
// turn out longer than storing. `counts`: of the 2^bits symbols, in what was counted of `count`.
struct PrefixChoice {
  StreamLayout layout;
  PairCode code;
};
std::optional<PrefixChoice> choose_prefix(std::array<u64, 256> counts, SymbolRange range, u64 count, int bits,
                                          const CoderOptions& options);
void write_prefix_header(const PrefixChoice& choice, LedgerWriter& out);
void write_prefix_constant(u8 symbol, LedgerWriter& out);

}  // namespace wcodec
