#include <algorithm>
#include <array>

#include "codec/tensor_codec.hpp"
#include "entropy/histogram.hpp"
#include "entropy/log2_cost.hpp"

namespace wcodec {
namespace {

constexpr u64 kParamByteCost = u64{8} << kCostFractionBits;

}  // namespace

// Residuals of one predictor over all tiles.
struct PlanePredictions::Predicted {
  PredictorChoice predictor;
  std::vector<u8> residuals;  // in coding order
  std::vector<u64> counts;
  std::vector<u8> plane_params, tile_params;   // tile_params of all tiles
  std::vector<std::size_t> tile_param_offset;  // where a tile's begin; empty without tile parameters
  std::vector<u64> none_costs;                 // of each tile under the table of `none`; made when first asked for
};

PlanePredictions::PlanePredictions(const SymbolPlane& plane, TileGrid grid) : plane_(plane), grid_(grid) {}
PlanePredictions::~PlanePredictions() = default;
PlanePredictions::PlanePredictions(PlanePredictions&&) noexcept = default;

u64 ModeChoice::tiles_with(std::size_t mode) const noexcept {
  return static_cast<u64>(std::count(mode_of_tile.begin(), mode_of_tile.end(), static_cast<u8>(mode)));
}

PlanePredictions::Predicted& PlanePredictions::predicted(const PredictorChoice& predictor) {
  for (const auto& entry : cache_) {
    if (entry->predictor.row == predictor.row && entry->predictor.option == predictor.option) return *entry;
  }
  auto entry = std::make_unique<Predicted>();
  entry->predictor = predictor;
  const Predictor& row = *predictor.row;
  PredictorContext context = predictor_context(predictor, plane_.info.zero, plane_.info.bits);
  if (row.scope == ParamScope::plane) {
    entry->plane_params.resize(row.param_bytes(0, 0, predictor.option));
    row.fit_plane(plane_.symbols.data(), grid_, context, entry->plane_params.data());
    context.params = entry->plane_params.data();
  }
  entry->residuals.resize(plane_.symbols.size());
  entry->counts.resize(std::size_t{1} << plane_.info.bits);
  for (i64 t = 0; t < grid_.tiles(); ++t) {
    const Tile<const u8> tile = grid_.tile(plane_.symbols.data(), t);
    if (row.scope == ParamScope::tile) {
      entry->tile_param_offset.push_back(entry->tile_params.size());
      entry->tile_params.resize(entry->tile_params.size() + row.param_bytes(tile.rows, tile.cols, predictor.option));
      u8* const params = entry->tile_params.data() + entry->tile_param_offset.back();
      row.fit_tile(tile, context, params);
      context.params = params;
    }
    row.residual(tile, context, entry->residuals.data() + grid_.offset(t));
  }
  ByteCounts counted;
  counted.add(entry->residuals);
  const std::array<u32, 256> counts = counted.counts();
  for (std::size_t s = 0; s < entry->counts.size(); ++s) entry->counts[s] += counts[s];
  cache_.push_back(std::move(entry));
  return *cache_.back();
}

const std::vector<u64>& PlanePredictions::counts(const PredictorChoice& predictor) {
  return predicted(predictor).counts;
}

std::vector<u64> PlanePredictions::tile_costs(const Predicted& entry, std::span<const u32> costs) const {
  std::vector<u64> out(static_cast<std::size_t>(grid_.tiles()));
  const bool has_params = !entry.tile_param_offset.empty();
  for (i64 t = 0; t < grid_.tiles(); ++t) {
    const u8* const residuals = entry.residuals.data() + grid_.offset(t);
    const auto size = static_cast<std::size_t>(grid_.tile_rows(t) * grid_.tile_cols(t));
    u64 sum = 0;
    for (std::size_t i = 0; i < size; ++i) sum += costs[residuals[i]];
    if (has_params)
      sum += kParamByteCost *
             entry.predictor.row->param_bytes(grid_.tile_rows(t), grid_.tile_cols(t), entry.predictor.option);
    out[static_cast<std::size_t>(t)] = sum;
  }
  return out;
}

ModeChoice PlanePredictions::choose(std::span<const PredictorChoice> modes) {
  const auto tiles = static_cast<std::size_t>(grid_.tiles());
  const std::size_t alphabet = std::size_t{1} << plane_.info.bits;
  ModeChoice choice;
  choice.mode_of_tile.assign(tiles, 0);
  std::vector<Predicted*> entries;
  for (const PredictorChoice& mode : modes) entries.push_back(&predicted(mode));
  for (const Predicted* entry : entries) {
    choice.plane_params.insert(choice.plane_params.end(), entry->plane_params.begin(), entry->plane_params.end());
  }

  if (entries.size() == 1) {
    choice.residuals = entries[0]->residuals;
    choice.residual_counts = entries[0]->counts;
    choice.tile_params = entries[0]->tile_params;
    return choice;
  }

  std::vector<u32> costs(alphabet);
  smoothed_costs(counts({&predictors().front(), 0}), costs);
  for (Predicted* entry : entries) {
    if (entry->none_costs.empty()) entry->none_costs = tile_costs(*entry, costs);
  }
  const auto pick = [&](const std::vector<const std::vector<u64>*>& tile_cost) {
    for (std::size_t t = 0; t < tiles; ++t) {
      std::size_t best = 0;
      for (std::size_t m = 1; m < tile_cost.size(); ++m) {
        if ((*tile_cost[m])[t] < (*tile_cost[best])[t]) best = m;
      }
      choice.mode_of_tile[t] = static_cast<u8>(best);
    }
  };
  // Gathers the chosen residuals and counts them.
  choice.residuals.resize(plane_.symbols.size());
  const auto gather = [&] {
    ByteCounts counted;
    for (std::size_t t = 0; t < tiles; ++t) {
      const auto tile = static_cast<i64>(t);
      const auto offset = static_cast<std::size_t>(grid_.offset(tile));
      const auto size = static_cast<std::size_t>(grid_.tile_rows(tile) * grid_.tile_cols(tile));
      const u8* const from = entries[choice.mode_of_tile[t]]->residuals.data() + offset;
      std::copy_n(from, size, choice.residuals.data() + offset);
      counted.add({from, size});
    }
    const std::array<u32, 256> counts = counted.counts();
    choice.residual_counts.assign(counts.begin(), counts.begin() + static_cast<std::ptrdiff_t>(alphabet));
  };
  std::vector<const std::vector<u64>*> first;
  for (const Predicted* entry : entries) first.push_back(&entry->none_costs);
  pick(first);
  gather();
  smoothed_costs(choice.residual_counts, costs);
  std::vector<std::vector<u64>> second;
  for (const Predicted* entry : entries) second.push_back(tile_costs(*entry, costs));
  std::vector<const std::vector<u64>*> pointers;
  for (const auto& tile_cost : second) pointers.push_back(&tile_cost);
  pick(pointers);
  gather();

  for (std::size_t t = 0; t < tiles; ++t) {
    const Predicted& entry = *entries[choice.mode_of_tile[t]];
    if (entry.tile_param_offset.empty()) continue;
    const auto begin = entry.tile_params.begin() + static_cast<std::ptrdiff_t>(entry.tile_param_offset[t]);
    const auto end = t + 1 < tiles
                         ? entry.tile_params.begin() + static_cast<std::ptrdiff_t>(entry.tile_param_offset[t + 1])
                         : entry.tile_params.end();
    choice.tile_params.insert(choice.tile_params.end(), begin, end);
  }
  return choice;
}

}  // namespace wcodec
