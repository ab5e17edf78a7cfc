#include "entropy/place_contexts.hpp"

#include <algorithm>

namespace wcodec {
namespace {

constexpr int kLastPlace = 7;

// Calls visit(index in coding order, class) for every weight.
template <class Visit>
void each_weight(PlaceKey key, const TileGrid& grid, const u8* bands, Visit&& visit) {
  if (key == PlaceKey::band) {
    const auto weights = static_cast<std::size_t>(grid.rows * grid.cols);
    for (std::size_t i = 0; i < weights; ++i) visit(i, bands[i]);
    return;
  }
  std::size_t i = 0;
  for (i64 tile = 0; tile < grid.tiles(); ++tile) {
    const int rows = grid.tile_rows(tile), cols = grid.tile_cols(tile);
    for (int r = 0; r < rows; ++r) {
      const int row = (kLastPlace + 1) * std::min(r, kLastPlace);
      for (int c = 0; c < cols; ++c) visit(i++, static_cast<u8>(row + std::min(c, kLastPlace)));
    }
  }
}

}  // namespace

ClassContexts choose_place_contexts(PlaceKey key, int limit, const TileGrid& grid, const u8* bands,
                                    std::span<const u8> residuals, int bits) {
  if (residuals.empty()) return {};
  std::vector<u32> histograms(static_cast<std::size_t>(place_classes(key)) << bits);
  each_weight(key, grid, bands,
              [&](std::size_t i, u8 place) { ++histograms[(std::size_t{place} << bits) | residuals[i]]; });
  return choose_class_contexts(histograms, bits, limit);
}

std::vector<u8> expand_place_contexts(const ClassContexts& contexts, PlaceKey key, const TileGrid& grid,
                                      const u8* bands) {
  std::vector<u8> out(static_cast<std::size_t>(grid.rows * grid.cols));
  if (contexts.count == 1) return out;
  u8* const to = out.data();
  const u8* const map = contexts.context_of.data();
  each_weight(key, grid, bands, [&](std::size_t i, u8 place) { to[i] = map[place]; });
  return out;
}

}  // namespace wcodec
