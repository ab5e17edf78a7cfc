// One bit of each of many symbols, coded by what is known of the symbol: the bits above it, which are coded already.
// Coding all planes from the top this way costs what coding whole symbols costs, by the chain rule of entropy, but for
// tables; and whoever stops after some planes has the top bits of everything.
//
// The bits above are merged into at most 128 contexts. How far is chosen for each plane by what bits and tables cost,
// and so is whether to code at all.
#pragma once

#include <span>
#include <vector>

#include "core/ledger_writer.hpp"
#include "entropy/chunked_stream.hpp"
#include "entropy/frequency_table.hpp"

namespace wcodec {

// What bits are coded under: prefixes[i] < 2^known are the bits above bit i, `known` ≤ 15 of them.
struct BitPlaneContext {
  // How prefixes become fewer: by their top bits alone, or by treating all from some value on alike (magnitudes: zero,
  // small, large).
  enum class Merge : u8 { top_bits, cap };

  std::span<const u16> prefixes;
  int known;
  Merge merge;
};

// `bits` are 0 or 1, as many as there are prefixes. Nothing is written for none. In dry mode the ledger grows by what
// would be.
void write_bit_plane(Bytes bits, const BitPlaneContext& context, LedgerWriter& out);

// What stands before a plane's chunks, for decoders of another kind. Bits are coded under 2^level contexts.
struct BitPlaneHeader {
  enum class Kind : u8 { stored, constant, coded };
  Kind kind = Kind::stored;
  int level = 0;
  std::vector<FrequencyTable> tables;  // of each context; constant: each knows one bit only
  Bytes packed;                        // stored: the bits, lowest first; padding has been checked
  StreamLayout layout{};               // coded: of the chunks that follow
};
inline constexpr int kMaxBitPlaneLevel = 7, kBitPlanePrecision = 12;
// Of a plane of `count` ≥ 1 bits under prefixes of `known` bits. Throws Error{corrupt | truncated}.
BitPlaneHeader read_bit_plane_header(ByteReader& in, int known, u64 count);
// Inverse. Throws Error{corrupt | truncated}.
void read_bit_plane(ByteReader& in, const BitPlaneContext& context, MutBytes bits);

}  // namespace wcodec
