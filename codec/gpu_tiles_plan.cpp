#include "codec/gpu_tiles_plan.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "codec/plane_transform.hpp"
#include "core/error.hpp"
#include "entropy/gpu_stream.hpp"

namespace wcodec {
namespace {

void place_modes(GpuTiles& tiles, const RecordHeader& header, const PlaneSide& side, std::vector<u8>& image) {
  std::vector<GpuMode> modes;
  // Room for the modes first: a position of 0 says that there is nothing.
  tiles.modes =
      place_in_image(image, std::vector<GpuMode>(header.modes.size()).data(), header.modes.size() * sizeof(GpuMode));
  for (std::size_t m = 0; m < header.modes.size(); ++m) {
    const PredictorChoice& mode = header.modes[m];
    if (mode.row->plugin != nullptr)
      throw Error(ErrorKind::unsupported, "no GPU decoder for predictor '" + std::string(mode.row->name) + "'");
    tiles.has_plane_params = tiles.has_plane_params || mode.row->scope == ParamScope::plane;
    modes.push_back({place_in_image(image, side.plane_params[m].data(), side.plane_params[m].size()), mode.row->id,
                     mode.option, mode.row->scope == ParamScope::tile});
  }
  std::memcpy(image.data() + tiles.modes, modes.data(), modes.size() * sizeof(GpuMode));
  if (modes.size() > 1) tiles.mode_of_tile = place_in_image(image, side.mode_of_tile.data(), side.mode_of_tile.size());
}

void place_tile_params(GpuTiles& tiles, const RecordHeader& header, const PlaneSide& side, std::vector<u8>& image) {
  if (side.tile_params.empty()) return;
  tiles.tile_params = place_in_image(image, side.tile_params.data(), side.tile_params.size());
  std::vector<u64> begins;
  u64 next = 0;
  for (std::size_t t = 0; t < side.mode_of_tile.size(); ++t) {
    begins.push_back(next);
    const PredictorChoice& mode = header.modes[side.mode_of_tile[t]];
    const auto tile = static_cast<i64>(t);
    if (mode.row->scope == ParamScope::tile)
      next += mode.row->param_bytes(header.grid.tile_rows(tile), header.grid.tile_cols(tile), mode.option);
  }
  tiles.tile_params_at = place_in_image(image, begins.data(), begins.size() * sizeof(u64));
}

void place_transforms(GpuTiles& tiles, const RecordHeader& header, const PlaneSide& side, std::vector<u8>& image) {
  tiles.is_transformed = !header.transforms.is_identity();
  tiles.transform = header.transforms.rows[0]->id;
  if (side.transform_of_block.empty()) return;
  std::vector<u8> ids;
  for (const u8 choice : side.transform_of_block) ids.push_back(header.transforms.rows[choice]->id);
  tiles.transform_of_block = place_in_image(image, ids.data(), ids.size());
}

// What the plane's symbols become: the words themselves where they are one plane, otherwise they stay what they are.
void place_map(GpuTiles& tiles, const RecordHeader& header, std::vector<u8>& image) {
  std::array<u8, 256> map{};
  const bool is_word = plane_layout(header.format).size() == 1;
  for (u32 symbol = 0; symbol < 1u << tiles.bits; ++symbol) {
    map[symbol] = static_cast<u8>(symbol);
    const u8* const planes[] = {&map[symbol]};
    if (is_word) join_planes_into(header.format, planes, 1, &map[symbol]);
  }
  tiles.xor_with = map[0];
  tiles.is_xor = true;
  for (u32 symbol = 0; symbol < 1u << tiles.bits; ++symbol)
    tiles.is_xor = tiles.is_xor && map[symbol] == (symbol ^ tiles.xor_with);
  tiles.map = place_in_image(image, map.data(), map.size());
}

}  // namespace

u64 place_in_image(std::vector<u8>& image, const void* data, std::size_t size) {
  const u64 at = image.size();
  const auto* const bytes = static_cast<const u8*>(data);
  image.insert(image.end(), bytes, bytes + size);
  image.resize((image.size() + kGpuAlignment - 1) / kGpuAlignment * kGpuAlignment);
  return at;
}

GpuTiles plan_tiles(const RecordHeader& header, const PlaneInfo& plane, ByteReader& in, std::vector<u8>& image) {
  const TileGrid& grid = header.grid;
  const PlaneSide side = read_plane_side(in, header, plane);
  if (side.mode_of_tile.size() > std::numeric_limits<u32>::max())
    throw Error(ErrorKind::unsupported, "no GPU decoder for 2^32 tiles and more");
  GpuTiles tiles{};
  tiles.rows = grid.rows;
  tiles.cols = grid.cols;
  tiles.tile_rows = grid.shape.rows;
  tiles.tile_cols = grid.shape.cols;
  tiles.tiles = static_cast<u32>(side.mode_of_tile.size());
  tiles.across = static_cast<u32>(tiles.tiles == 0 ? 0 : grid.across());
  tiles.blocks_across = static_cast<u64>(grid.cols / grid.shape.cols * (grid.shape.cols / kBlockSide) +
                                         grid.cols % grid.shape.cols / kBlockSide);
  tiles.bits = static_cast<u8>(plane.bits);
  tiles.zero = plane.zero;
  place_modes(tiles, header, side, image);
  place_tile_params(tiles, header, side, image);
  place_transforms(tiles, header, side, image);
  place_map(tiles, header, image);
  return tiles;
}

void plan_escapes(GpuTiles& tiles, ByteReader& in, std::vector<u8>& image) {
  if (!tiles.is_transformed) return;
  const std::vector<i16> escapes = read_escapes(in, tiles.bits);
  if (escapes.size() > std::numeric_limits<u32>::max() / 2)
    throw Error(ErrorKind::unsupported, "no GPU decoder for 2^31 escapes and more");
  tiles.escape_count = static_cast<u32>(escapes.size());
  tiles.escapes = place_in_image(image, escapes.data(), escapes.size() * sizeof(i16));
}

}  // namespace wcodec
