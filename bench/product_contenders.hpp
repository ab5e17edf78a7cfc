// The ways of multiplying that product_table compares, each with copies of the same matrix in its own form.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/cublas_products.hpp"
#include "core/cuda_owners.hpp"

namespace wcodec {

// One way to multiply.
struct Contender {
  std::string name;
  u64 bytes;                        // of one copy, all that a product reads of the weights
  const DeviceBytes* exact;         // the weights it holds, as float
  std::vector<DeviceBytes> copies;  // as many as the L2 cannot hold, at least two
  // Weights (a copy), x, y and batch: vectors lie one after another, y is bf16.
  std::function<void(const u8*, const u16*, u16*, int)> product;
};

struct ContenderOptions {
  std::vector<std::string> formats;  // of kProductFormats
  u64 rotate = 0;                    // bytes that the copies of one contender have at least
};

inline constexpr const char* kProductFormats[] = {"bf16", "bf16-palette", "int8", "int4"};

// A matrix of Gaussian bf16 weights with rows of log-normal scale, as each format has it: `bf16` is the plain kernel of
// the same skeleton, `int8` has a scale a row, `int4` one for 128 weights. cuBLAS comes first, where there is one.
class Contenders {
 public:
  Contenders(i64 rows, i64 cols, const ContenderOptions& options, const CublasProducts* cublas, cudaStream_t stream);
  i64 rows() const noexcept { return rows_; }
  i64 cols() const noexcept { return cols_; }
  const std::vector<Contender>& all() const noexcept { return contenders_; }
  // ‖y − y64‖ / ‖y64‖ of each copy of the contender, the worst of them; throws Error{internal} beyond 1 %. x and y are
  // device memory of 32 vectors.
  double error(const Contender& contender, const DeviceBytes& x, const DeviceBytes& y, int batch) const;

 private:
  void add(const std::string& name, Bytes image, const DeviceBytes& exact, u64 rotate,
           std::function<void(const u8*, const u16*, u16*, int)> product);

  i64 rows_, cols_;
  cudaStream_t stream_;
  std::vector<std::unique_ptr<DeviceBytes>> exact_;
  std::vector<Contender> contenders_;
};

}  // namespace wcodec
