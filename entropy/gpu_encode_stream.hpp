// A plane as the GPU encodes it: plain numbers that the host chooses and hands to a kernel. The chunks that come out
// are those of chunked_stream.hpp, byte for byte.
#pragma once

#include "core/types.hpp"
#include "entropy/pair_code.hpp"

namespace wcodec {

// Where a plane's residuals come from.
enum class GpuSource : u8 {
  bytes,           // integers of at most 8 bits, planes split off before: the byte's low bits
  signed_bytes,    // floats of at most 8 bits: their order-preserving words
  bf16_exponents,  // of words of two bytes
  bf16_rests       // sign above mantissa
};

struct GpuEncodeStream {
  u8 bits, low_bits, window;  // of a symbol; uncoded ones of these; coded ones above them
  u8 offset;                  // added to residuals before they are cut
  u8 log2_chunk;
  u8 precision;    // rANS
  u8 first;        // pairs: the first symbol covered, which also pairs with an odd last one
  u64 count;       // symbols
  u64 table;       // in the image: pairs: gpu_pair_entries() × u32; rans: 256 × {reciprocal, frequency | start << 16}
  u64 crc_tables;  // in the image
  u64 slot_size;   // bytes of scratch a warp
  u64 capacity;    // bytes of output: chunks that would end beyond are not delivered

  WC_HD constexpr u64 chunks() const { return (count + (u64{1} << log2_chunk) - 1) >> log2_chunk; }
};

// For kernels that look at residuals alone.
constexpr GpuEncodeStream plain_stream(int bits, u64 count) {
  GpuEncodeStream stream{};
  stream.bits = stream.window = static_cast<u8>(bits);
  stream.count = count;
  return stream;
}

// Entries of a pair table: the codeword in the highest bits, kGpuEncodeEscape, the length in bits 0 … 4. 0 is a pair
// that is not there: it changes no state. Up to kDirectPairBits a high part, entry a | b << bits is of pair (a, b);
// above, a and b count from `first`, those beyond share a row and a column, and the side is PairEncodeTable::kSide.
inline constexpr u32 kGpuEncodeEscape = u32{1} << 5;
inline constexpr u32 kDirectPairBits = 6;
WC_HD constexpr bool is_direct_pair(u32 window) { return window <= kDirectPairBits; }
WC_HD constexpr u32 gpu_pair_entries(u32 window) {
  return is_direct_pair(window) ? 1u << 2 * window : PairEncodeTable::kSide * PairEncodeTable::kSide;
}

// A warp's scratch: what a chunk's states and words may take at most. The chunk is written from its end, which is
// kSlotPadding before the slot's.
inline constexpr u64 kMostStateBytes = 144, kSlotPadding = 16;
WC_HD constexpr u64 gpu_slot_size(u64 chunk_size) {
  return (kMostStateBytes + 2 * chunk_size + 2 * kSlotPadding + 15) / 16 * 16;
}

// What the device counts of a plane, and reports of it. All zero before.
struct GpuCounts {
  u32 of_symbol[256];
  u32 least_inverted, most;  // 255 − the least, and the most of all symbols, centred as prefix_coder.hpp says
  u32 padding[2];
};
struct GpuEncodeReport {
  u32 next_chunk;  // warps take chunks in order
  u32 crc;  // of the plane's bytes: Σ word · x^(32 − 8·position of its end), words at multiples of four bytes
  u32 beside_crc;  // of its uncoded bits, or of the stored plane beside it, likewise
  u32 padding;
  u64 state_bytes;
};
// Behind it, a word for each chunk: how many bytes it and those before it take, below kPlaceWhole.
inline constexpr u64 kPlacePartial = u64{1} << 62, kPlaceWhole = u64{1} << 63;

// Tables of the checksum (core/crc_algebra.hpp): b·x^(1024 + 8i) for byte i of a word, 256 entries each; what lane l's
// words are multiplied by; and x^−1024k, in three digits of kCrcDigitBits.
inline constexpr u32 kCrcDigitBits = 10, kCrcDigit = 1u << kCrcDigitBits;
struct GpuCrcTables {
  u32 next[4 * 256];
  u32 of_lane[32];
  u32 position[3][kCrcDigit];
};

}  // namespace wcodec
