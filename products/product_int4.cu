#include "products/product_formats.hpp"
#include "products/product_launch.cuh"

namespace wcodec {
namespace {

template <class Scales>
void launch_with(const ProductTask& task, CUstream_st* stream) {
  if (task.zeros == nullptr) return launch_for_batch<Int4Reader<Scales, true>>(task, stream);
  launch_for_batch<Int4Reader<Scales, false>>(task, stream);
}

}  // namespace

void launch_int4(const PackedShape& shape, const ProductTask& task, CUstream_st* stream) {
  if (shape.has_row_scales) return launch_with<RowScales>(task, stream);
  if (shape.has_half_scales) return launch_with<GroupScales<__half>>(task, stream);
  launch_with<GroupScales<float>>(task, stream);
}

}  // namespace wcodec
