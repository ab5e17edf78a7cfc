#include <fmt/format.h>

#include <map>
#include <tuple>

#include "codec/stages.hpp"
#include "core/hash.hpp"
#include "experiments/run.hpp"

namespace wcodec {

std::vector<Cell> diagnostic_cells(const ExperimentConfig& config, const Plan& plan) {
  std::vector<Cell> cells;
  if (!config.diagnostics) return cells;
  const std::string& tile = config.axis(Axis::tile).front();
  std::map<std::tuple<std::size_t, std::size_t, std::string, std::string>, std::size_t> index;
  std::vector<std::vector<std::string>> predictors;
  for (const Cell& planned : plan.cells) {
    if (planned.role != Role::codec || planned.reference != "none") continue;  // plots are of the tensors themselves
    const auto key = std::tuple(planned.checkpoint, planned.tensor, planned.quantizer, planned.control);
    const auto [it, added] = index.emplace(key, cells.size());
    if (added) {
      cells.push_back(planned);
      predictors.emplace_back();
    }
    if (planned.tile != tile) continue;
    cells[it->second].tile = tile;
    for (std::string& name : split_modes(planned.modes)) predictors[it->second].push_back(std::move(name));
  }
  for (std::size_t i = 0; i < cells.size(); ++i) {
    Cell& cell = cells[i];
    // Where `where` leaves no cell of that tile, there are correlations only.
    cell.modes = predictors[i].empty() ? "none" : canonical_modes(predictors[i]);
    cell.order = "identity";
    cell.approx = "none";
    cell.transform = "identity";
    cell.coder = "raw";
    cell.hash =
        content_hash(fmt::format("diagnostics\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}", kCellVersion, cell.tensor_hash,
                                 cell.quantizer, cell.control, cell.seed, tile, cell.tile, cell.modes, cell.plugins));
  }
  return cells;
}

}  // namespace wcodec
