#include "products/product_formats.hpp"
#include "products/product_launch.cuh"

namespace wcodec {

void launch_int8(const PackedShape& shape, const ProductTask& task, CUstream_st* stream) {
  if (shape.has_row_scales) return launch_for_batch<Int8Reader<RowScales>>(task, stream);
  if (shape.has_half_scales) return launch_for_batch<Int8Reader<GroupScales<__half>>>(task, stream);
  launch_for_batch<Int8Reader<GroupScales<float>>>(task, stream);
}

}  // namespace wcodec
