// The vectors of a product, in device memory of the caller.
#pragma once

#include "core/types.hpp"

namespace wcodec {

inline constexpr int kMaxProductBatch = 32;

enum class ProductOutput : u8 { bf16, f32 };

// Vector b of x is bf16 x[b · x_stride …], cols long; x begins at a multiple of 16 bytes
// and x_stride is a multiple of 8. Vector b of y is y[b · y_stride …], rows long, in units of its type.
struct ProductVectors {
  const u16* x = nullptr;
  i64 x_stride = 0;
  void* y = nullptr;
  i64 y_stride = 0;
  ProductOutput output = ProductOutput::bf16;
  int batch = 1;  // 1 … kMaxProductBatch
};

}  // namespace wcodec
