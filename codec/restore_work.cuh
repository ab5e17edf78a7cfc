// What the kernels that restore tiles have in common: what they read, and how finished words leave them.
#pragma once

#include "codec/tile_memory.cuh"
#include "codec/undo_blocks.cuh"
#include "predictors/predictor.hpp"

namespace wcodec::gpu {

inline constexpr int kWarp = 32, kThreads = 256, kWarps = kThreads / kWarp, kMapBytes = 256;

// Kernels may be launched while the one before still runs; what it writes is there after this.
__device__ inline void wait_for_kernels_before() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

struct RestoreWork {
  const u8* image;
  u8* symbols;        // in coding order
  const u32* places;  // of each tile's first escape, where there are escapes
  u64* status;
};

// How tiles leave shared memory; `values` of kValueBytes there are the block's to fill.
struct StoreWords {
  static constexpr u32 kValueBytes = 0;
  u8* out;
  __device__ WordOutput output(const u8*, float*, i64 cols) const { return {out, cols}; }
};
template <FloatOutput kOutput>
struct StoreWeights {
  static constexpr u32 kValueBytes = 256 * sizeof(float);
  GpuDequantize how;
  u64 values_at;
  u8* out;
  __device__ WeightOutput<kOutput> output(const u8* image, float* values, i64 cols) const {
    const float* const from = reinterpret_cast<const float*>(image + values_at);
    for (u32 i = threadIdx.x; i < 256; i += blockDim.x) values[i] = from[i];
    __syncthreads();
    return {how, values, out, cols};
  }
};

// Bytes of shared memory for the blocks' turns of a warp.
inline constexpr u32 kTurnBytes = kWarp / kBlockSide * kTurnedBytes;

__device__ inline u32 first_escape(const GpuTiles& tiles, const RestoreWork& work, u64 tile) {
  return tiles.escape_count == 0 ? 0 : work.places[tile];
}

__device__ inline GpuMode mode_of(const GpuTiles& tiles, const u8* image, u64 tile) {
  const u32 mode = tiles.mode_of_tile != 0 ? image[tiles.mode_of_tile + tile] : 0;
  return reinterpret_cast<const GpuMode*>(image + tiles.modes)[mode];
}

__device__ inline PredictorContext context_of(const GpuTiles& tiles, const u8* image, const GpuMode& mode, u64 tile) {
  const u8* params = image + mode.params;
  if (mode.has_tile_params)
    params = image + tiles.tile_params + reinterpret_cast<const u64*>(image + tiles.tile_params_at)[tile];
  return {tiles.zero, static_cast<u8>((1u << tiles.bits) - 1), mode.option, params, nullptr};
}

__device__ inline const u8* load_map(const GpuTiles& tiles, const u8* image, u8* shared) {
  if (tiles.is_xor) return nullptr;
  for (u32 i = threadIdx.x; i < kMapBytes / 4; i += blockDim.x)
    reinterpret_cast<u32*>(shared)[i] = reinterpret_cast<const u32*>(image + tiles.map)[i];
  __syncthreads();
  return shared;
}

}  // namespace wcodec::gpu
