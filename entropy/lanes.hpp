// What all streams of 32 lanes have in common, whatever the step that turns a state into symbols.
//
// A lane's state x lies in [2^16, 2^32). A step takes symbols out of x and makes it smaller; below 2^16 the lane takes
// the next 16-bit word of the sequence that all lanes share, in lane order within a round: x = x·2^16 + word. The
// encoder runs backwards. rANS (rans.hpp) and the pair code (pair_code.hpp) are two such steps, so scalar, SIMD and
// warp decoders of both share everything else.
//
// A short stream (1 or 8 lanes) starts its encoder, and ends its decoder, at x = 2^16. That floor of 16 bits a lane
// would cost 64 bytes in 32 lanes: there it carries the chunk's last symbols instead, uncoded, so the decoder ends at
// x = 2^16 + seed.
#pragma once

#include <array>

#include "core/bytes.hpp"
#include "core/types.hpp"

namespace wcodec {

inline constexpr u32 kLaneLow = u32{1} << 16;
inline constexpr int kMaxLanes = 32;

// With 32 lanes, whole blocks of coded symbols come first, in which lane l has the eight symbols from 8l on, in order:
// decoders hold neighbours in one lane and store them with one wide access. What is no whole block, and streams of
// fewer lanes, go round the lanes item by item.
inline constexpr std::size_t kLaneSymbols = 8, kBlockSymbols = kLaneSymbols * kMaxLanes;
constexpr std::size_t blocked_symbols(u64 coded, int lanes) noexcept {
  return lanes == kMaxLanes ? static_cast<std::size_t>(coded / kBlockSymbols * kBlockSymbols) : 0;
}
// Within a block, where the symbol of coding position i stands; `item` symbols (1 or 2) are coded together.
constexpr std::size_t place_in_block(std::size_t i, std::size_t item) noexcept {
  return i / item % kMaxLanes * kLaneSymbols + i / (item * kMaxLanes) * item + i % item;
}

using LaneStates = std::array<u32, kMaxLanes>;

// Lanes of a stream of `count` symbols: states must not outweigh short streams.
constexpr int lanes_of(u64 count) noexcept { return count >= 2048 ? 32 : count >= 512 ? 8 : 1; }

// Symbols of `bits` bits that one seed holds, and all of them: the last seeded_symbols() of a stream of 32 lanes. Lane
// l holds in slot k (from the lowest bit) symbol number 32·k + l of these.
constexpr int symbols_per_seed(int bits) noexcept { return 16 / bits; }
constexpr u64 seeded_symbols(u64 count, int bits) noexcept {
  return lanes_of(count) == kMaxLanes ? u64{kMaxLanes} * static_cast<u64>(symbols_per_seed(bits)) : 0;
}

// Encoder's first states for symbols[0, seeded_symbols).
void seed_lanes(const u8* symbols, int bits, LaneStates& states) noexcept;
// Decoder's last states to those symbols. False unless every state is one that seed_lanes makes.
bool unseed_lanes(const LaneStates& states, int bits, u8* symbols) noexcept;
// For short streams: every state is 2^16.
bool lanes_are_empty(const LaneStates& states, int lanes) noexcept;

// States as bytes: u32 each for short streams. For 32 lanes a nibble each for the number of bits above 17 (16 bytes,
// lane 0 lowest), the low 16 bits of each (64 bytes), then the bits between and below the leading one, packed lowest
// first and padded with zeros. Appends to `out`.
void write_states(const LaneStates& states, int lanes, std::vector<u8>& out);
// Throws Error{truncated | corrupt}. Every state is in [2^16, 2^32).
void read_states(ByteReader& in, int lanes, LaneStates& states);

// A decoder in mid-stream, between blocks. Kernels take whole blocks while it is safe and leave the rest to the scalar
// step.
struct LaneDecoder {
  LaneStates x;
  const u8* next;      // the next word; any alignment
  const u8* end;       // of the words that belong to this stream
  const u8* readable;  // ≥ end: bytes below may be loaded, though only those below `end` may be used
  u8* out;             // where the block's symbols begin
  const u8* contexts;  // theirs, or null
  u64 left;            // symbols still to come
};

}  // namespace wcodec
