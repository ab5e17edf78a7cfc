// Launches of the product kernel: which shape of it for which matrix and batch.
#pragma once

#include <cuda_runtime.h>

#include "core/error.hpp"
#include "products/product_kernel.cuh"

namespace wcodec {

inline void check_launch(cudaError_t error) {
  if (error != cudaSuccess) {
    throw Error(ErrorKind::internal, std::string("a product cannot be launched: ") + cudaGetErrorString(error));
  }
}

struct ProductDevice {
  int major = 0, multiprocessors = 0;
};
inline ProductDevice this_device() {
  int device;
  ProductDevice out;
  check_launch(cudaGetDevice(&device));
  check_launch(cudaDeviceGetAttribute(&out.major, cudaDevAttrComputeCapabilityMajor, device));
  check_launch(cudaDeviceGetAttribute(&out.multiprocessors, cudaDevAttrMultiProcessorCount, device));
  return out;
}

template <class Shape>
int blocks_of(const ProductTask& task) {
  return (task.tile_rows + Shape::kRowTiles - 1) / Shape::kRowTiles;
}

template <class Reader, class Shape>
void launch(const ProductTask& task, const ProductDevice& device, cudaStream_t stream) {
  cudaLaunchAttribute overlap{};
  overlap.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  overlap.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = static_cast<u32>(blocks_of<Shape>(task));
  config.blockDim = Shape::kThreads;
  config.stream = stream;
  config.attrs = &overlap;
  config.numAttrs = device.major >= 9 ? 1 : 0;
  check_launch(cudaLaunchKernelEx(&config, product_kernel<Reader, Shape>, task));
}

// Whether all blocks run at once.
template <class Shape>
bool is_one_wave(const ProductTask& task, const ProductDevice& device) {
  return blocks_of<Shape>(task) <= Shape::kBlocks * device.multiprocessors;
}

// Why these shapes: docs/fused.md.
template <class Reader>
void launch_for_batch(const ProductTask& task, cudaStream_t stream) {
  const ProductDevice device = this_device();
  if (task.batch <= 8) {
    using Short = ProductShape<1, 1, 16, 1, 2>;
    using Long = ProductShape<1, 1, 16, 2, 2>;
    if (is_one_wave<Short>(task, device)) return launch<Reader, Short>(task, device, stream);
    return launch<Reader, Long>(task, device, stream);
  }
  if (task.batch <= 16) return launch<Reader, ProductShape<1, 2, 8, 2, 2>>(task, device, stream);
  using Low = ProductShape<1, 4, 8, 1, 2>;
  using High = ProductShape<2, 4, 8, 1, 2>;  // reads x half as often, with half the warps for as many rows
  const bool has_waves = blocks_of<High>(task) >= 2 * High::kBlocks * device.multiprocessors;
  return has_waves ? launch<Reader, High>(task, device, stream) : launch<Reader, Low>(task, device, stream);
}

}  // namespace wcodec
