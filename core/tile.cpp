#include "core/tile.hpp"

#include <fmt/format.h>

#include <charconv>

#include "core/error.hpp"

namespace wcodec {

TileShape parse_tile(sv text) {
  TileShape shape;
  const char* const end = text.data() + text.size();
  const auto rows = std::from_chars(text.data(), end, shape.rows);
  const bool has_cross = rows.ec == std::errc{} && rows.ptr != end && *rows.ptr == 'x';
  const auto cols = has_cross ? std::from_chars(rows.ptr + 1, end, shape.cols) : rows;
  const bool whole = has_cross && cols.ec == std::errc{} && cols.ptr == end;
  const auto side_ok = [](int side) { return side >= 1 && side <= kMaxTileSide; };
  if (!whole || !side_ok(shape.rows) || !side_ok(shape.cols) || i64{shape.rows} * shape.cols > kMaxTileArea) {
    throw Error(ErrorKind::usage,
                fmt::format("tile '{}' must be ROWSxCOLS with sides from 1 to {} and at most {} weights, e.g. 16x16",
                            printable(text), kMaxTileSide, kMaxTileArea));
  }
  return shape;
}

std::string to_string(TileShape shape) { return fmt::format("{}x{}", shape.rows, shape.cols); }

}  // namespace wcodec
