// The kernels of each format, a source file each, as they take long to compile.
#pragma once

#include "products/product_task.hpp"

struct CUstream_st;  // of cudaStream_t

namespace wcodec {

void launch_bf16(const PackedShape& shape, const ProductTask& task, CUstream_st* stream);
void launch_int8(const PackedShape& shape, const ProductTask& task, CUstream_st* stream);
void launch_int4(const PackedShape& shape, const ProductTask& task, CUstream_st* stream);

}  // namespace wcodec
