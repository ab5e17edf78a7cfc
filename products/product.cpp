#include "products/product.hpp"

#include "products/product_formats.hpp"

namespace wcodec {

void product(const PackedShape& shape, const u8* image, const ProductVectors& vectors, CUstream_st* stream) {
  const ProductTask task = product_task(shape, image, vectors);
  switch (shape.format) {
    case PackedFormat::bf16:
    case PackedFormat::bf16_palette:
      return launch_bf16(shape, task, stream);
    case PackedFormat::int8:
      return launch_int8(shape, task, stream);
    case PackedFormat::int4:
      return launch_int4(shape, task, stream);
  }
}

}  // namespace wcodec
