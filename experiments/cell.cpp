#include "experiments/cell.hpp"

#include <fmt/format.h>

#include "core/hash.hpp"

namespace wcodec {

std::string cell_hash(const Cell& cell, sv dtype, i64 rows, i64 cols) {
  // Each text with its length before it, so that no two cells write the same string.
  std::string name = fmt::format("wcodec cell {} {}x{} seed {} role {}", kCellVersion, rows, cols, cell.seed,
                                 cell.role == Role::codec ? "codec" : "baseline");
  for (const sv text : {sv(cell.tensor_hash), dtype, sv(cell.control), sv(cell.quantizer), sv(cell.tile),
                        sv(cell.modes), sv(cell.transform), sv(cell.coder), sv(cell.device), sv(cell.plugins)}) {
    name += fmt::format("\n{} {}", text.size(), text);
  }
  if (cell.order != "identity") name += fmt::format("\norder {}", cell.order);
  if (cell.approx != "none") name += fmt::format("\napprox {}", cell.approx);
  return content_hash(sv(name));
}

}  // namespace wcodec
