#include "codec/gpu_dequantize.hpp"

#include <cuda_runtime.h>

#include <algorithm>

#include "codec/gpu_decode.hpp"
#include "codec/gpu_reconstruct.hpp"
#include "codec/word_output.cuh"
#include "core/error.hpp"

namespace wcodec {
namespace {

using namespace gpu;

constexpr u32 kWarp = 32, kThreads = 256, kWarps = kThreads / kWarp, kSegment = 4096;

void check(cudaError_t error) {
  if (error != cudaSuccess) throw Error(ErrorKind::internal, std::string("GPU: ") + cudaGetErrorString(error));
}

// Words that lie in memory, where nothing that decodes them writes weights: a warp has a segment of a row at a time.
template <int kWidth, FloatOutput kOutput>
__global__ void __launch_bounds__(kThreads)
    dequantize(const __grid_constant__ GpuDequantize how, const float* word_values, const u8* words, u64 rows, u64 cols,
               u8* weights) {
  __shared__ float values[256];
  for (u32 i = threadIdx.x; i < 256; i += blockDim.x) values[i] = word_values[i];
  __syncthreads();
  const WeightOutput<kOutput> output{how, values, weights, static_cast<i64>(cols)};
  const u64 segments = (cols + kSegment - 1) / kSegment, items = rows * segments;
  for (u64 item = u64{blockIdx.x} * kWarps + threadIdx.x / kWarp; item < items; item += u64{gridDim.x} * kWarps) {
    const u64 row = segments == 1 ? item : item / segments, first = (item - row * segments) * kSegment;
    const u64 end = min(cols, first + kSegment);
    for (u64 c = first + threadIdx.x % kWarp * kWidth; c < end; c += kWarp * kWidth) {
      const u8* const from = words + row * cols + c;
      Piece<kWidth> piece;
      if constexpr (kWidth == 16) {
        const uint4 v = *reinterpret_cast<const uint4*>(from);
        piece.four[0] = v.x, piece.four[1] = v.y, piece.four[2] = v.z, piece.four[3] = v.w;
      } else {
        piece.four[0] = *from;
      }
      output.put(static_cast<i64>(row), static_cast<i64>(c), piece);
    }
  }
}

template <FloatOutput kOutput>
void launch(const GpuPlan& plan, const GpuDequantize& how, const u8* image, const u8* words, u8* weights,
            cudaStream_t stream) {
  const u64 rows = static_cast<u64>(plan.rows), cols = static_cast<u64>(plan.cols);
  const auto kernel = cols % 16 == 0 ? &dequantize<16, kOutput> : &dequantize<1, kOutput>;
  int device = 0, processors = 0;
  check(cudaGetDevice(&device));
  check(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device));
  const u64 items = rows * ((cols + kSegment - 1) / kSegment);
  const u64 blocks = std::min<u64>((items + kWarps - 1) / kWarps, static_cast<u64>(processors) * 8);
  kernel<<<static_cast<u32>(blocks), kThreads, 0, stream>>>(how, reinterpret_cast<const float*>(image + plan.values),
                                                            words, rows, cols, weights);
  check(cudaGetLastError());
}

bool is_fused(const GpuPlan& plan) noexcept { return !plan.tiles.empty() && is_small(plan.tiles[0]); }

}  // namespace

u64 gpu_weights_scratch_size(const GpuPlan& plan) noexcept {
  const u64 symbols = (plan.scratch_size() + kGpuAlignment - 1) / kGpuAlignment * kGpuAlignment;
  return is_fused(plan) ? symbols : symbols + plan.plane_bytes();
}

void gpu_decode_weights(const GpuPlan& plan, const GpuDequantize& how, const u8* image, u8* weights, u8* scratch,
                        u64* status, CUstream_st* stream) {
  if (plan.streams.size() != 1) throw Error(ErrorKind::unsupported, "words of several planes are no quantized codes");
  if (plan.weights() == 0) return;
  if (is_fused(plan)) {
    u32* const places = reinterpret_cast<u32*>(scratch + plan.plane_bytes() * plan.scratch_planes());
    gpu_decode_symbols(plan, image, scratch, status, stream);
    return gpu_reconstruct_weights(plan.tiles[0], how, plan.values, image, scratch, weights, places, status, stream);
  }
  u8* const words = scratch + gpu_weights_scratch_size(plan) - plan.plane_bytes();
  gpu_decode(plan, image, words, scratch, status, stream);
  switch (how.output) {
    case FloatOutput::bf16:
      return launch<FloatOutput::bf16>(plan, how, image, words, weights, stream);
    case FloatOutput::f16:
      return launch<FloatOutput::f16>(plan, how, image, words, weights, stream);
    case FloatOutput::f32:
      return launch<FloatOutput::f32>(plan, how, image, words, weights, stream);
  }
}

}  // namespace wcodec
