// Contexts from scale: rows and columns of a matrix get levels (quarter octaves of their mean magnitude), the sum of
// both names a class of weights of like scale, and neighbouring sums share a table where that is cheaper than one each.
#pragma once

#include <span>
#include <vector>

#include "core/bytes.hpp"
#include "core/ledger_writer.hpp"
#include "core/tile.hpp"
#include "core/types.hpp"

namespace wcodec {

enum class ContextKey : u8 { row = 0, column = 1, row_column = 2 };

inline constexpr int kMaxContexts = 64;
inline constexpr int kMaxLevel = 63;

// context of weight (r, c) = context_of_sum[row_level[r] + column_level[c]]. A key that leaves out an axis has no
// levels for it.
struct ScaleContexts {
  int count = 1;
  std::vector<u8> row_level, column_level;
  std::vector<u8> context_of_sum;  // not falling, from 0 to count − 1

  // Contexts of all weights in coding order (tile by tile).
  std::vector<u8> expand(const TileGrid& grid) const;
};

// Levels are taken from `symbols` (row-major, order-preserving, counted from `zero`; `log_scale`: symbols are
// exponents); sums are then clustered by dynamic programming so that Σ order-0 bits of `residuals` (in coding order,
// alphabet 2^bits) plus about 4.5 bits a table entry is least, with at most `limit` clusters. count = 1 when contexts
// do not pay for their maps. O(weights + sums² · 2^bits).
ScaleContexts choose_scale_contexts(ContextKey key, int limit, const TileGrid& grid, const u8* symbols, u8 zero,
                                    bool log_scale, std::span<const u8> residuals, int bits);

void write_scale_contexts(const ScaleContexts& contexts, LedgerWriter& out);
// Throws Error{corrupt} or Error{truncated}.
ScaleContexts read_scale_contexts(ContextKey key, const TileGrid& grid, ByteReader& in);

}  // namespace wcodec
