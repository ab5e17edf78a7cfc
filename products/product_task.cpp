#include "products/product_task.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "products/integer_tile.hpp"

namespace wcodec {
namespace {

void check_vectors(const PackedShape& shape, const u8* image, const ProductVectors& v) {
  const auto fail = [](const std::string& why) { throw Error(ErrorKind::usage, "product: " + why); };
  if (v.batch < 1 || v.batch > kMaxProductBatch)
    fail(fmt::format("batch is {}; it must be 1 to {}", v.batch, kMaxProductBatch));
  if (image == nullptr || v.x == nullptr || v.y == nullptr) fail("image, x or y is null");
  if (reinterpret_cast<std::uintptr_t>(image) % 128 != 0) fail("the image must begin at a multiple of 128 bytes");
  if (reinterpret_cast<std::uintptr_t>(v.x) % 16 != 0) fail("x must begin at a multiple of 16 bytes");
  const std::uintptr_t width = v.output == ProductOutput::f32 ? 4 : 2;
  if (reinterpret_cast<std::uintptr_t>(v.y) % width != 0) fail(fmt::format("y must begin at a multiple of {}", width));
  if (v.batch > 1 && (v.x_stride < shape.cols || v.x_stride % 8 != 0)) {
    fail(fmt::format("x_stride is {}; it must be a multiple of 8 of at least {}", v.x_stride, shape.cols));
  }
  if (v.batch > 1 && v.y_stride < shape.rows)
    fail(fmt::format("y_stride is {}; it must be at least {}", v.y_stride, shape.rows));
}

}  // namespace

ProductTask product_task(const PackedShape& shape, const u8* image, const ProductVectors& v) {
  check_vectors(shape, image, v);
  ProductTask task{};
  task.tiles = image;
  if (shape.format == PackedFormat::bf16_palette) {
    task.palettes = image + shape.palettes_at;
    task.escape_begin = reinterpret_cast<const u32*>(image + shape.escape_begin_at);
    task.escapes = reinterpret_cast<const u32*>(image + shape.escapes_at);
  }
  if (shape.format == PackedFormat::int8 || shape.format == PackedFormat::int4) {
    task.scales = image + shape.scales_at;
    task.zeros = shape.zeros_at == 0 ? nullptr : image + shape.zeros_at;
  }
  task.rows = static_cast<int>(shape.rows);
  task.cols = static_cast<int>(shape.cols);
  task.tile_rows = static_cast<int>(shape.tile_rows());
  task.tile_cols = static_cast<int>(shape.tile_cols());
  task.group_shift = shape.group_shift;
  task.groups = static_cast<int>(shape.groups);
  task.pair128 = kPair128;
  task.y_is_float = v.output == ProductOutput::f32;
  task.batch = v.batch;
  task.x = v.x;
  task.y = v.y;
  task.x_stride = v.x_stride;
  task.y_stride = v.y_stride;
  return task;
}

}  // namespace wcodec
