#include "codec/plane_side.hpp"

#include <algorithm>
#include <bit>

#include "entropy/side_stream.hpp"

namespace wcodec {
namespace {

u64 tile_param_bytes(const RecordHeader& header, const std::vector<u8>& mode_of_tile) {
  const bool has_some = std::any_of(header.modes.begin(), header.modes.end(),
                                    [](const PredictorChoice& mode) { return mode.row->scope == ParamScope::tile; });
  if (!has_some) return 0;
  u64 total = 0;
  for (std::size_t t = 0; t < mode_of_tile.size(); ++t) {
    const PredictorChoice& mode = header.modes[mode_of_tile[t]];
    const auto tile = static_cast<i64>(t);
    if (mode.row->scope == ParamScope::tile)
      total += mode.row->param_bytes(header.grid.tile_rows(tile), header.grid.tile_cols(tile), mode.option);
  }
  return total;
}

}  // namespace

PlaneSide read_plane_side(ByteReader& in, const RecordHeader& header, const PlaneInfo& plane) {
  const TileGrid& grid = header.grid;
  const auto tiles = static_cast<u64>(grid.rows == 0 || grid.cols == 0 ? 0 : grid.tiles());
  PlaneSide side;
  const int modes = static_cast<int>(header.modes.size());
  if (modes > 1) {
    const int bits = std::max(1, static_cast<int>(std::bit_width(header.modes.size() - 1)));
    side.mode_of_tile = read_side_stream(in, tiles, bits, modes, "tile modes");
  } else {
    side.mode_of_tile.resize(tiles);
  }
  side.plane_params.resize(header.modes.size());
  for (std::size_t m = 0; m < header.modes.size(); ++m) {
    const PredictorChoice& mode = header.modes[m];
    if (mode.row->scope == ParamScope::plane)
      side.plane_params[m] = in.take(mode.row->param_bytes(0, 0, mode.option), "predictor parameters");
  }
  side.tile_params =
      read_side_stream(in, tile_param_bytes(header, side.mode_of_tile), plane.bits, 1 << plane.bits, "tile parameters");
  const int choices = static_cast<int>(header.transforms.rows.size());
  if (choices > 1)
    side.transform_of_block =
        read_side_stream(in, block_count(grid), transform_bits(header.transforms), choices, "transforms of blocks");
  return side;
}

}  // namespace wcodec
