// A chunked stream as the GPU decodes it: plain numbers that the host reads from a record and hands to a kernel.
//
// All of it lies in one image, a block of bytes with the record's chunks as they stand, the chunks' places, and
// decoding tables spelled out. Positions count from the image's beginning.
#pragma once

#include "core/types.hpp"

namespace wcodec {

enum class GpuCode : u8 { stored, constant, pairs, rans, wide_rans, bit_planes };

// What decoded high parts become; the tables are made for one of these.
enum class GpuOutput : u8 {
  bytes,  // the tables hold the words' bytes, but for their uncoded low bits
  joined  // exponents of bf16, beside the stored plane of sign and mantissa
};

struct GpuStream {
  GpuCode code;
  GpuOutput output;
  u8 bits, low_bits;  // of a symbol; uncoded ones of these
  u8 window;          // of a high part
  u8 log2_chunk;
  u8 precision;  // rANS
  u8 constant;   // the word's byte
  u16 order;     // of its faults among those of the record (gpu_status)
  u16 passes;    // bit_planes: how many
  u64 count;     // symbols
  u64 map;       // 256 bytes: the word's byte for high << low; uncoded bits are added to it by exclusive or
  u64 table;     // pairs: kPairSlots × u32; rans: 2^p × u32; wide_rans: 2^p bytes, then 256 × u32
  u64 offsets;   // chunks + 1 × u64, from `bytes`, rising
  u64 bytes;     // chunks, or the packed symbols of a stored stream
  u64 low[3];    // sections of uncoded bits, 4, 2 and 1 of a symbol
  u64 beside;    // joined: the stored plane's bytes
  u64 size;      // of the image: kGpuPadding bytes or more behind the last chunk

  WC_HD constexpr u64 chunks() const { return (count + (u64{1} << log2_chunk) - 1) >> log2_chunk; }
};

// Loads run ahead of what is decoded by less than this. Parts of an image begin at multiples of kGpuAlignment.
inline constexpr u64 kGpuPadding = 4096, kGpuAlignment = 16;

// Entries of a pair table: length in bits 0 … 4, kGpuEscape, and two fields of 8 bits, where the words have them:
// from bits 8 and 24, and from bits 7 and 23 for exponents to be joined.
inline constexpr u32 kGpuEscape = u32{1} << 5;
WC_HD constexpr u32 gpu_pair_fields(GpuOutput output, u32 first, u32 second) {
  return output == GpuOutput::joined ? first << 7 | second << 23 : first << 8 | second << 24;
}
// Entries of a rans table: frequency in bits 20 … 31, field, slot − start in bits 0 … 11; no frequency needs more. Of a
// wide one: symbols, (f − 1) | start << 16.
inline constexpr u32 kGpuMostFrequency = 4095;
inline constexpr int kGpuMostPrecision = 14;
WC_HD constexpr u32 gpu_rans_entry(u32 frequency, u32 bias, u32 field) { return frequency << 20 | field << 12 | bias; }

// What the device reports: 0 is no fault, and of several that of the lowest order remains, then of the lowest chunk (or
// block), below 2^40. Orders are those in which a record's parts are decoded: kGpuOrders a plane, the last one for what
// comes after its symbols.
inline constexpr u16 kGpuOrders = 32;
enum class GpuFault : u8 {
  none = 0,
  truncated_states = 1,
  bad_states = 2,
  bad_end = 3,
  bad_block = 4,   // a transformed block that no residuals have
  bad_escapes = 5  // more or fewer than there are symbols that stand for one
};
WC_HD constexpr u64 gpu_status(GpuFault fault, u64 chunk, u16 order) {
  return u64{0xffffu - order} << 48 | (~chunk & 0xffffffffff) << 8 | static_cast<u64>(fault);
}
WC_HD constexpr u64 gpu_status_chunk(u64 status) { return ~(status >> 8) & 0xffffffffff; }

}  // namespace wcodec
