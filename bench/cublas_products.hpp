// Plain bf16 products by cuBLAS, loaded at run time: what a product of packed weights is compared with.
#pragma once

#include <memory>
#include <string>

#include "core/types.hpp"

struct CUstream_st;  // of cudaStream_t

namespace wcodec {

class CublasProducts {
 public:
  // Looks for libcublas.so.13, .12 and without a version where the loader looks (LD_LIBRARY_PATH). Null where there is
  // none or it does not start, and `why` says so. 32 MiB of device memory are its workspace; products run on `stream`.
  static std::unique_ptr<CublasProducts> load(CUstream_st* stream, std::string& why);
  ~CublasProducts();

  // y = W x: rows × cols bf16 row-major, `batch` vectors of x and y one after another, bf16, sums in fp32
  // (cublasGemmEx, CUBLAS_COMPUTE_32F, the library's own choice of algorithm). Throws Error{internal} on a failure.
  void product(const u16* weights, int rows, int cols, const u16* x, u16* y, int batch) const;
  // As cublasGetVersion gives it: 130100 is 13.1.0.
  int version() const;

 private:
  struct Library;
  explicit CublasProducts(std::unique_ptr<Library> library);
  std::unique_ptr<Library> library_;
};

}  // namespace wcodec
