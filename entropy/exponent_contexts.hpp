// Contexts for the mantissa of a float from its exponent: within an octave small numbers are likelier than large ones,
// the more so the further the octave lies in the tail (a joint order-0 model of whole words sees it, planes by
// themselves do not).
#pragma once

#include <array>
#include <span>
#include <vector>

#include "core/bytes.hpp"
#include "core/ledger_writer.hpp"
#include "core/tile.hpp"

namespace wcodec {

struct ExponentContexts {
  int count = 1;
  std::array<u8, 256> context_of{};  // of a symbol of the first plane; not falling

  // Contexts of all weights in coding order; `first_plane` is row-major.
  std::vector<u8> expand(const TileGrid& grid, const u8* first_plane) const;
};

// count = 1 where contexts do not pay. `residuals` are in coding order.
ExponentContexts choose_exponent_contexts(int limit, const TileGrid& grid, const u8* first_plane,
                                          std::span<const u8> residuals, int bits);

void write_exponent_contexts(const ExponentContexts& contexts, LedgerWriter& out);
// Throws Error{corrupt | truncated}.
ExponentContexts read_exponent_contexts(ByteReader& in);

}  // namespace wcodec
