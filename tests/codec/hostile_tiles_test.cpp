// Row 10 of the hostile inputs: tiles without rows or columns, too large, or too many. A record names one tile shape
// for its matrix, so that tiles cover it exactly once by construction; what it may name is bounded.
#include <gtest/gtest.h>

#include <cstring>

#include "codec/tensor_codec.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"
#include "tests/codec/sample_tensor.hpp"
#include "tests/core/limited_child.hpp"

namespace wcodec {
namespace {

// The raw record of a 3 × 5 matrix of int8 with another tile shape, given as varints, and a right checksum.
std::vector<u8> record_with_tile(const std::vector<u8>& tile) {
  std::vector<u8> record =
      encode_tensor(sample_tensor(DType::int8, 3, 5, 1), {16, 16}, parse_mode_set({"none"}), parse_coder("raw")).bytes;
  record.resize(record.size() - sizeof(u32));
  const auto at = record.begin() + 12;  // behind magic, version, five bytes of format, rows and columns
  EXPECT_EQ(at[0], 16);
  EXPECT_EQ(at[1], 16);
  record.erase(at, at + 2);
  record.insert(record.begin() + 12, tile.begin(), tile.end());
  const u32 crc = crc32(record);
  record.resize(record.size() + sizeof crc);
  std::memcpy(record.data() + record.size() - sizeof crc, &crc, sizeof crc);
  return record;
}

TEST(HostileTiles, Row10_ShapesOutOfRangeAreRefused) {
  within_limits([] {
    const std::vector<std::vector<u8>> shapes = {
        {0, 16},                                                        // no rows
        {16, 0},                                                        // no columns
        {0, 0},                                                         // neither
        {0x81, 0x20, 1},                                                // 4097 rows
        {1, 0x81, 0x20},                                                // 4097 columns
        {0x80, 0x20, 0x81, 0x02},                                       // 4096 × 257, above the area
        {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 16},  // 2^64 − 1 rows
        {0x80, 0x80, 0x80, 0x80, 0x10, 0x80, 0x80, 0x80, 0x80, 0x10}};  // 2^32 × 2^32, whose product wraps to 0
    for (const auto& shape : shapes) {
      try {
        decode_tensor(record_with_tile(shape));
        ADD_FAILURE() << "decoded";
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::corrupt) << error.what();
      }
    }
  });
}

TEST(HostileTiles, Row10_AnyShapeInRangeCoversTheMatrixOnce) {
  for (const TileShape shape : {TileShape{1, 1}, {2, 3}, {3, 5}, {16, 16}, {4096, 256}, {1, 4096}}) {
    const TileGrid grid{13, 17, shape};
    std::vector<int> covered(13 * 17);
    i64 next = 0;
    for (i64 t = 0; t < grid.tiles(); ++t) {
      EXPECT_EQ(grid.offset(t), next);
      const Tile<int> tile = grid.tile(covered.data(), t);
      for (int r = 0; r < tile.rows; ++r) {
        for (int c = 0; c < tile.cols; ++c) ++tile(r, c);
      }
      next += i64{tile.rows} * tile.cols;
    }
    EXPECT_EQ(next, 13 * 17);
    EXPECT_EQ(std::count(covered.begin(), covered.end(), 1), 13 * 17) << to_string(shape);
  }
}

}  // namespace
}  // namespace wcodec
