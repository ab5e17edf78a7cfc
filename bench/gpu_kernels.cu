#include <cuda_runtime.h>

#include "bench/gpu_kernels.hpp"
#include "core/cuda_owners.hpp"

namespace wcodec {
namespace {

constexpr int kThreads = 512, kUnroll = 4;  // vectors of 16 bytes that a thread writes a step
constexpr u64 kTile = kThreads * kUnroll;

// A block makes a tile of kTile vectors out of the same share of the input. Loads are issued before stores depend on
// them; the sum of what was read goes into all that is written, so that no load can be left out.
__global__ void __launch_bounds__(kThreads)
    expand(const uint4* __restrict__ in, u64 in_count, uint4* __restrict__ out, u64 out_count) {
  const u64 first_out = blockIdx.x * kTile;
  const u64 tiles = gridDim.x;
  const u64 first_in = in_count * blockIdx.x / tiles, last_in = in_count * (blockIdx.x + 1) / tiles;
  uint4 read[kUnroll];
#pragma unroll
  for (int i = 0; i < kUnroll; ++i) {
    const u64 at = first_in + static_cast<u64>(i) * kThreads + threadIdx.x;
    read[i] = at < last_in ? __ldcs(in + at) : make_uint4(0, 0, 0, 0);
  }
  uint4 sum = read[0];
#pragma unroll
  for (int i = 1; i < kUnroll; ++i) {
    sum.x ^= read[i].x;
    sum.y ^= read[i].y;
    sum.z ^= read[i].z;
    sum.w ^= read[i].w;
  }
#pragma unroll
  for (int i = 0; i < kUnroll; ++i) {
    const u64 at = first_out + static_cast<u64>(i) * kThreads + threadIdx.x;
    if (at < out_count) __stcs(out + at, sum);
  }
}

__global__ void count_differences(const uint4* a, const uint4* b, u64 count, u64* total) {
  u64 different = 0;
  for (u64 i = blockIdx.x * static_cast<u64>(blockDim.x) + threadIdx.x; i < count;
       i += static_cast<u64>(gridDim.x) * blockDim.x) {
    const uint4 x = a[i], y = b[i];
    for (const u32 d : {x.x ^ y.x, x.y ^ y.y, x.z ^ y.z, x.w ^ y.w}) {
      for (int byte = 0; byte < 4; ++byte) different += (d >> 8 * byte & 0xff) != 0;
    }
  }
  if (different != 0) atomicAdd(reinterpret_cast<unsigned long long*>(total), different);
}

}  // namespace

void gpu_expand(const u8* in, u64 in_size, u8* out, u64 out_size, CUstream_st* stream) {
  const u64 vectors = out_size / 16;
  if (vectors == 0) return;
  expand<<<static_cast<unsigned>((vectors + kTile - 1) / kTile), kThreads, 0, stream>>>(
      reinterpret_cast<const uint4*>(in), in_size / 16, reinterpret_cast<uint4*>(out), vectors);
  check_cuda(cudaGetLastError(), "launching the expansion");
}

void gpu_count_differences(const u8* a, const u8* b, u64 size, u64* count, CUstream_st* stream) {
  if (size < 16) return;
  count_differences<<<1024, 256, 0, stream>>>(reinterpret_cast<const uint4*>(a), reinterpret_cast<const uint4*>(b),
                                              size / 16, count);
  check_cuda(cudaGetLastError(), "launching the comparison");
}

}  // namespace wcodec
