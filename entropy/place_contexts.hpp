// Contexts from a symbol's place: in its tile (the first rows and columns of a tile have fewer neighbours to be
// predicted from) or in its transform block (bands differ in variance: that is what a transform is for).
#pragma once

#include <span>
#include <vector>

#include "core/tile.hpp"
#include "entropy/class_contexts.hpp"

namespace wcodec {

// in_tile: class 8·min(row, 7) + min(column, 7) of the place in the tile. band: of a transform coefficient 1 + its
// place in the block, row-major, and 0 of what is none.
enum class PlaceKey : u8 { in_tile = 0, band = 1 };

inline constexpr int kPlaces = 64, kBands = 65;
constexpr int place_classes(PlaceKey key) noexcept { return key == PlaceKey::band ? kBands : kPlaces; }

// `bands`: the class of each weight in coding order, for PlaceKey::band only. `residuals` in coding order, below
// 2^bits.
ClassContexts choose_place_contexts(PlaceKey key, int limit, const TileGrid& grid, const u8* bands,
                                    std::span<const u8> residuals, int bits);
// Contexts of all weights in coding order.
std::vector<u8> expand_place_contexts(const ClassContexts& contexts, PlaceKey key, const TileGrid& grid,
                                      const u8* bands);

}  // namespace wcodec
