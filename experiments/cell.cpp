#include "experiments/cell.hpp"

#include <fmt/format.h>

#include "core/hash.hpp"
#include "experiments/reference.hpp"

namespace wcodec {
namespace {

// A coder that writes other bytes than before under the same spec has other cells than before.
int coder_revision(sv coder) {
  return coder.find("tables=best") != sv::npos ? 2 : 1;  // 2: positions and neighbours are no longer tried
}

}  // namespace

std::string cell_hash(const Cell& cell, sv dtype, i64 rows, i64 cols) {
  // Each text with its length before it, so that no two cells write the same string.
  std::string name = fmt::format("wcodec cell {} {}x{} seed {} role {}", kCellVersion, rows, cols, cell.seed,
                                 cell.role == Role::codec ? "codec" : "baseline");
  for (const sv text : {sv(cell.tensor_hash), dtype, sv(cell.control), sv(cell.quantizer), sv(cell.tile),
                        sv(cell.modes), sv(cell.transform), sv(cell.coder), sv(cell.device), sv(cell.plugins)}) {
    name += fmt::format("\n{} {}", text.size(), text);
  }
  if (const int revision = coder_revision(cell.coder); revision != 1) name += fmt::format("\ncoder {}", revision);
  if (cell.order != "identity") name += fmt::format("\norder {}", cell.order);
  if (cell.approx != "none") name += fmt::format("\napprox {}", cell.approx);
  if (cell.reference != "none") {
    const ReferencePlace& place = cell.reference_place;
    name += fmt::format("\nreference {} {} {}", to_string(parse_reference(cell.reference).fit), place.dtype,
                        place.tensor_hash);
  }
  return content_hash(sv(name));
}

}  // namespace wcodec
