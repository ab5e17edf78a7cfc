#include "entropy/exponent_contexts.hpp"

#include <algorithm>

#include "entropy/bits.hpp"
#include "entropy/clustering.hpp"
#include "entropy/scale_contexts.hpp"

namespace wcodec {
namespace {

// Symbols this far below the largest and further are one class: what is nearly zero has nothing to tell apart.
constexpr int kClasses = 63;

int base_below(int largest) noexcept { return std::max(0, largest - (kClasses - 1)); }

// Calls visit(index in coding order, symbol of the first plane) for every weight.
template <class Visit>
void each_weight(const TileGrid& grid, const u8* first_plane, Visit&& visit) {
  std::size_t i = 0;
  for (i64 t = 0; t < grid.tiles(); ++t) {
    const Tile<const u8> tile = grid.tile(first_plane, t);
    for (int r = 0; r < tile.rows; ++r) {
      for (int c = 0; c < tile.cols; ++c) visit(i++, tile(r, c));
    }
  }
}

}  // namespace

std::vector<u8> ExponentContexts::expand(const TileGrid& grid, const u8* first_plane) const {
  std::vector<u8> contexts(static_cast<std::size_t>(grid.rows * grid.cols));
  u8* const out = contexts.data();
  each_weight(grid, first_plane, [&](std::size_t i, u8 symbol) { out[i] = context_of[symbol]; });
  return contexts;
}

ExponentContexts choose_exponent_contexts(int limit, const TileGrid& grid, const u8* first_plane,
                                          std::span<const u8> residuals, int bits) {
  ExponentContexts out;
  if (residuals.empty() || limit < 2) return out;
  const int largest = *std::max_element(first_plane, first_plane + residuals.size());
  const int base = base_below(largest);
  const std::size_t alphabet = std::size_t{1} << bits;
  std::vector<u32> histograms(static_cast<std::size_t>(largest - base + 1) * alphabet);
  each_weight(grid, first_plane, [&](std::size_t i, u8 symbol) {
    ++histograms[static_cast<std::size_t>(std::max<int>(symbol, base) - base) * alphabet + residuals[i]];
  });
  const std::vector<u8> cluster_of = cluster_histograms(histograms, alphabet, limit, 3 * 8 + kClasses);
  out.count = cluster_of.back() + 1;
  for (int s = base; s < 256; ++s)
    out.context_of[static_cast<std::size_t>(s)] = cluster_of[static_cast<std::size_t>(std::min(s, largest) - base)];
  return out;
}

void write_exponent_contexts(const ExponentContexts& contexts, LedgerWriter& out) {
  out.write(LedgerEntry::context, static_cast<u8>(contexts.count));
  if (contexts.count == 1) return;
  // One bit a symbol: does it begin the next context? From the first that does to the last.
  const auto begins = [&](std::size_t s) { return contexts.context_of[s] != contexts.context_of[s - 1]; };
  std::size_t first = 1, last = 255;
  while (!begins(first)) ++first;
  while (!begins(last)) --last;
  out.write(LedgerEntry::context, static_cast<u8>(first));
  out.write(LedgerEntry::context, static_cast<u8>(last));
  BitWriter steps;
  for (std::size_t s = first; s <= last; ++s) steps.put(begins(s), 1);
  out.append(LedgerEntry::context, steps.finish());
}

ExponentContexts read_exponent_contexts(ByteReader& in) {
  const auto corrupt = [](const char* why) {
    return Error(ErrorKind::corrupt, std::string("exponent contexts: ") + why);
  };
  ExponentContexts out;
  out.count = in.read<u8>("exponent contexts");
  if (out.count < 1 || out.count > kMaxContexts) throw corrupt("their number is out of range");
  if (out.count == 1) return out;
  const std::size_t first = in.read<u8>("exponent contexts"), last = in.read<u8>("exponent contexts");
  if (first == 0 || last < first) throw corrupt("their map is out of range");
  BitReader steps(in, "exponent contexts");
  for (std::size_t s = 1; s < 256; ++s) {
    const u32 step = s >= first && s <= last ? steps.get(1) : 0;
    out.context_of[s] = static_cast<u8>(out.context_of[s - 1] + step);
  }
  steps.finish();
  if (out.context_of[255] + 1 != out.count) throw corrupt("their number does not match their map");
  return out;
}

}  // namespace wcodec
