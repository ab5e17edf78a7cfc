// A plane's residuals with its 8 × 8 blocks transformed: what stands between prediction and the entropy coder.
//
// Blocks are cut from each tile at its upper left corner; what remains at the right and at the bottom is left as it is.
// A residual of b bits is taken as a number in −2^(b−1) … 2^(b−1) − 1. Coefficient (u, v) of a block stands where its
// residual (u, v) stood, so that the band of a symbol is its position in the tile modulo 8, and the coder still sees
// b-bit symbols: the coefficient modulo 2^b if its magnitude is below 2^(b−1), otherwise the symbol 2^(b−1) (in a
// transformed block that is no coefficient) and a number in the stream of escapes.
#pragma once

#include <span>
#include <vector>

#include "codec/transform_blocks.hpp"
#include "core/bytes.hpp"
#include "core/tile.hpp"
#include "transforms/registry.hpp"

namespace wcodec {

struct TransformedPlane {
  std::vector<u8> transform_of_block;  // index into the set, blocks in coding order; empty if the set has one transform
  std::vector<u8> symbols;             // in coding order
  std::vector<u8> escapes;  // a varint each, in coding order: 2·(|c| − 2^(b−1)), plus 1 where c is negative
  std::vector<u64> symbol_counts;
};

// Width of the side stream that names the transform of each block.
int transform_bits(const TransformSet& set) noexcept;

// The transform of each block, nothing if the set has one. The rate probe: bits of each block's symbols under the
// plane's own counts (½ added to each, costs in 1/65536 bit), a byte for each byte of escapes; counts are then rebuilt
// from what was chosen, the choice itself is priced by how often it was made, and every block chooses once more. Ties
// go to the first in the set. Where all that is not below the residuals' entropy in sum and identity is in the set,
// every block is left as it is. Memory: a byte a weight for each transform.
std::vector<u8> choose_transforms(std::span<const u8> residuals, const TileGrid& grid, int bits,
                                  const TransformSet& set);
// Chooses and transforms.
TransformedPlane transform_plane(std::span<const u8> residuals, const TileGrid& grid, int bits,
                                 const TransformSet& set);

// What `escapes` says, preceded by its size as a varint. Throws Error{corrupt} for a coefficient above kMaxCoefficient,
// Error{truncated}.
std::vector<i16> read_escapes(ByteReader& in, int bits);
// PlaneGeometry::bands of a plane whose blocks have these transforms; nothing for the identity alone.
std::vector<u8> plane_bands(const TileGrid& grid, const TransformSet& set, Bytes transform_of_block);

// Inverse, in place: symbols become residuals. Throws Error{corrupt} for a block that no residuals have and where there
// are not as many escapes as symbols that stand for one.
void restore_plane(MutBytes symbols, const TileGrid& grid, int bits, const TransformSet& set, Bytes transform_of_block,
                   std::span<const i16> escapes);

}  // namespace wcodec
