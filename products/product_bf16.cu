#include "products/product_formats.hpp"
#include "products/product_launch.cuh"

namespace wcodec {

void launch_bf16(const PackedShape& shape, const ProductTask& task, CUstream_st* stream) {
  if (shape.format == PackedFormat::bf16_palette) return launch_for_batch<PaletteReader>(task, stream);
  launch_for_batch<PlainReader>(task, stream);
}

}  // namespace wcodec
