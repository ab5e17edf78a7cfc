// Symbols packed at their width, uncoded: the row that shows what coding is worth, and the way out for noise.
#pragma once

#include <optional>

#include "entropy/entropy_coder.hpp"

namespace wcodec {

extern const EntropyCoder kRawCoder;

// Shared with coders that fall back to it.
u64 raw_size(const PlaneGeometry& geometry) noexcept;
void write_raw(const CoderInput& input, LedgerWriter& out);
// The way out of a coder that says by a first byte of 0 that residuals are stored: written whole, and kept in place of
// what `out` has gained since `before` where that is longer than the residuals packed.
void store(const CoderInput& input, LedgerWriter& out);
void store_if_longer(const CoderInput& input, const LedgerWriter::Mark& before, LedgerWriter& out);
// Where the coder ahead of `in` has stored a plane of 8 bits uncoded: its symbols, taken from `in`, to be used where
// they are. Nothing otherwise, and `in` stays.
std::optional<Bytes> take_stored(const EntropyCoder& coder, ByteReader& in, const PlaneGeometry& geometry);
void read_raw(ByteReader& in, const PlaneGeometry& geometry, MutBytes residuals);

}  // namespace wcodec
