#include "codec/gpu_reconstruct.hpp"

#include <cuda_runtime.h>

#include <algorithm>
#include <bit>
#include <type_traits>

#include "codec/restore_rows.cuh"
#include "core/error.hpp"
#include "predictors/undo_prediction.cuh"

namespace wcodec {
namespace {

using namespace gpu;

void check(cudaError_t error) {
  if (error != cudaSuccess) throw Error(ErrorKind::internal, std::string("GPU: ") + cudaGetErrorString(error));
}

// --- escapes: how many stand before each tile -------------------------------------------------------------------

// Of each tile, a warp each.
__global__ void __launch_bounds__(kThreads)
    count_escapes(const __grid_constant__ GpuTiles tiles, const u8* image, const u8* symbols, u32* counts) {
  wait_for_kernels_before();
  const u32 lane = threadIdx.x % kWarp, stride = gridDim.x * kWarps;
  for (u64 tile = blockIdx.x * kWarps + threadIdx.x / kWarp; tile < tiles.tiles; tile += stride) {
    const TilePlace at = place_of_tile(tiles, static_cast<u32>(tile));
    const TileBlocks blocks = blocks_of_tile(tiles, at.down, at.across, at.rows, at.cols);
    u32 count = 0;
    for (u32 row = lane; row < static_cast<u32>(blocks.count()) * kBlockSide; row += kWarp) {
      const int block = static_cast<int>(row / kBlockSide), r = block / blocks.across * kBlockSide + row % kBlockSide;
      const u64 number = blocks.first + static_cast<u64>(block);
      if ((tiles.transform_of_block != 0 ? image[tiles.transform_of_block + number] : tiles.transform) == Identity::kId)
        continue;
      const u8* const from = symbols + at.coded + r * at.cols + block % blocks.across * kBlockSide;
      for (int i = 0; i < kBlockSide; ++i) count += from[i] == 1u << (tiles.bits - 1);
    }
    count = __reduce_add_sync(0xffffffff, count);
    if (lane == 0) counts[tile] = count;
  }
}

// Counts to sums of those before, by one block; also whether there are as many as the record has.
__global__ void __launch_bounds__(kThreads)
    add_up_escapes(const __grid_constant__ GpuTiles tiles, u32* counts, u64* status) {
  constexpr u32 kEach = 16;  // neighbouring tiles a thread
  __shared__ u32 of_warp[kWarps];
  wait_for_kernels_before();
  const u32 lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const LaneGroup group(static_cast<int>(lane), kWarp);
  u32 before = 0;
  for (u64 first = 0; first < tiles.tiles; first += kThreads * kEach) {
    const u64 own = first + threadIdx.x * kEach;
    u32 count[kEach], mine = 0;
#pragma unroll
    for (u32 i = 0; i < kEach; ++i) mine += count[i] = own + i < tiles.tiles ? counts[own + i] : 0;
    const u32 end = group.sum_up_to(mine);
    if (lane == kWarp - 1) of_warp[warp] = end;
    __syncthreads();
    const u32 sums = group.sum_up_to(lane < kWarps ? of_warp[lane] : 0);
    const u32 warps_before = warp == 0 ? 0 : group.from(sums, static_cast<int>(warp) - 1);
    u32 next = before + warps_before + end - mine;
#pragma unroll
    for (u32 i = 0; i < kEach; ++i) {
      if (own + i < tiles.tiles) counts[own + i] = next;
      next += count[i];
    }
    before += group.from(sums, kWarps - 1);
    __syncthreads();
  }
  if (threadIdx.x == 0 && before != tiles.escape_count)
    report(status, GpuFault::bad_escapes, tiles.escape_count, tiles.order);
}

// --- tiles -----------------------------------------------------------------------------------------------------

// Tiles of at most kMaxSharedSide a side: a warp has as many at once as it has groups of lanes, a lane for each row
// (or for two).
template <int kWidth, class Store>
__global__ void __launch_bounds__(kThreads)
    restore_small_tiles(const __grid_constant__ GpuTiles tiles, const __grid_constant__ RestoreWork work,
                        const __grid_constant__ Store store, int group_size, u32 tile_bytes) {
  extern __shared__ uint4 shared[];
  u8* const memory = reinterpret_cast<u8*>(shared);
  const u8* const map = load_map(tiles, work.image, memory);
  const auto output = store.output(work.image, reinterpret_cast<float*>(memory + kMapBytes), tiles.cols);
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp, groups = kWarp / group_size;
  const LaneGroup group(lane, group_size);
  const u32 of_warp = kTurnBytes + static_cast<u32>(groups) * tile_bytes;
  u8* const own = memory + kMapBytes + Store::kValueBytes + static_cast<u32>(warp) * of_warp;
  u8* const symbols = own + kTurnBytes + static_cast<u32>(lane / group_size) * tile_bytes;
  const UndoBlocks undo_blocks{tiles, work.image, work.status,
                               reinterpret_cast<i16*>(own + lane / kBlockSide * kTurnedBytes)};
  const u64 stride = u64{gridDim.x} * kWarps * static_cast<u32>(groups);
  wait_for_kernels_before();
  for (u64 t = (u64{blockIdx.x} * kWarps + static_cast<u32>(warp)) * static_cast<u32>(groups) +
               static_cast<u32>(lane / group_size);
       t < tiles.tiles; t += stride) {
    const TilePlace at = place_of_tile(tiles, static_cast<u32>(t));
    const Tile<u8> tile{symbols, at.rows, at.cols, shared_pitch(at.cols)};
    load_tile<kWidth>(group, work.symbols + at.coded, tile);
    group.sync();
    if (tiles.is_transformed) {
      undo_blocks.run<true>(group, tile, blocks_of_tile(tiles, at.down, at.across, at.rows, at.cols),
                            first_escape(tiles, work, t));
    }
    const GpuMode mode = mode_of(tiles, work.image, t);
    Finish finish{tiles.is_xor ? four_times(tiles.xor_with) : 0, map};
    if (mode.predictor == None::kId) {
      finish.flip ^= four_times(tiles.zero);  // zero is 0 or the top bit: adding it modulo 2^bits is flipping it
    } else {
      const PredictorContext context = context_of(tiles, work.image, mode, t);
      undo_prediction(mode.predictor, {{symbols, at.rows, at.cols, tile.stride}, tile, context, group});
    }
    store_tile<kWidth>(group, tile, finish, output, at.row, at.col);
    group.sync();
  }
}

// Tiles of any shape, a warp each, in device memory.
__global__ void __launch_bounds__(kThreads)
    restore_large_tiles(const __grid_constant__ GpuTiles tiles, const __grid_constant__ RestoreWork work, u8* words) {
  __shared__ alignas(16) u8 memory[kMapBytes + kWarps * kTurnBytes];
  const u8* const map = load_map(tiles, work.image, memory);
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const LaneGroup group(lane, kWarp);
  const UndoBlocks undo_blocks{
      tiles, work.image, work.status,
      reinterpret_cast<i16*>(memory + kMapBytes + warp * kTurnBytes + lane / kBlockSide * kTurnedBytes)};
  wait_for_kernels_before();
  for (u64 t = u64{blockIdx.x} * kWarps + static_cast<u32>(warp); t < tiles.tiles; t += u64{gridDim.x} * kWarps) {
    const TilePlace at = place_of_tile(tiles, static_cast<u32>(t));
    const Tile<u8> coded{work.symbols + at.coded, at.rows, at.cols, at.cols};
    if (tiles.is_transformed) {
      undo_blocks.run<false>(group, coded, blocks_of_tile(tiles, at.down, at.across, at.rows, at.cols),
                             first_escape(tiles, work, t));
    }
    const Tile<u8> out{words + at.row * tiles.cols + at.col, at.rows, at.cols, tiles.cols};
    const GpuMode mode = mode_of(tiles, work.image, t);
    const PredictorContext context = context_of(tiles, work.image, mode, t);
    undo_prediction(mode.predictor, {{coded.at, at.rows, at.cols, at.cols}, out, context, group});
    const Finish finish{tiles.is_xor ? four_times(tiles.xor_with) : 0, map};
    if (finish.flip == 0 && map == nullptr) continue;
    store_tile<1>(group, out, finish, WordOutput{words, tiles.cols}, at.row, at.col);
  }
}

// As many blocks as multiprocessors hold, each of kWarps warps, or fewer where there is less to do. Their beginning
// overlaps with the end of the kernel before.
template <class... Parameters>
void launch(void (*kernel)(Parameters...), u64 warps, std::size_t shared, cudaStream_t stream,
            const std::type_identity_t<Parameters>&... arguments) {
  int device = 0, processors = 0, resident = 0, major = 0;
  check(cudaGetDevice(&device));
  check(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device));
  check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device));
  check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&resident, kernel, kThreads, shared));
  cudaLaunchAttribute overlap{};
  overlap.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  overlap.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = static_cast<u32>(
      std::min<u64>((warps + kWarps - 1) / kWarps, static_cast<u64>(std::max(1, processors * resident))));
  config.blockDim = kThreads;
  config.dynamicSmemBytes = shared;
  config.stream = stream;
  config.attrs = &overlap;
  config.numAttrs = major >= 9 ? 1 : 0;
  check(cudaLaunchKernelEx(&config, kernel, arguments...));
}

template <int kWidth, class Store>
void launch_small(const GpuTiles& tiles, const RestoreWork& work, const Store& store, cudaStream_t stream) {
  const int rows = tiles.tile_rows;
  const int group_size = static_cast<int>(std::bit_ceil(static_cast<u32>(std::min(rows, kWarp))));
  const u32 tile_bytes = static_cast<u32>(rows * shared_pitch(tiles.tile_cols) + 15) / 16 * 16;
  const u32 groups = static_cast<u32>(kWarp / group_size);
  const std::size_t shared = kMapBytes + Store::kValueBytes + kWarps * (kTurnBytes + groups * tile_bytes);
  launch(&restore_small_tiles<kWidth, Store>, (tiles.tiles + groups - 1) / groups, shared, stream, tiles, work, store,
         group_size, tile_bytes);
}

template <class Store>
void launch_small(const GpuTiles& tiles, const RestoreWork& work, const Store& store, cudaStream_t stream) {
  if (fits_rows(tiles)) {
    launch(&restore_rows<Store>, (u64{tiles.tiles} + 1) / 2, 0, stream, tiles, work, store);
  } else if (tiles.tile_cols % 16 == 0 && tiles.cols % 16 == 0) {
    launch_small<16>(tiles, work, store, stream);
  } else if (tiles.tile_cols % 4 == 0 && tiles.cols % 4 == 0) {
    launch_small<4>(tiles, work, store, stream);
  } else {
    launch_small<1>(tiles, work, store, stream);
  }
}

void find_escapes(const GpuTiles& tiles, const u8* image, const u8* symbols, u32* places, u64* status,
                  cudaStream_t stream) {
  if (tiles.escape_count == 0) return;
  launch(&count_escapes, tiles.tiles, 0, stream, tiles, image, symbols, places);
  launch(&add_up_escapes, 1, 0, stream, tiles, places, status);
}

}  // namespace

void gpu_reconstruct(const GpuTiles& tiles, const u8* image, u8* symbols, u8* out, u32* places, u64* status,
                     CUstream_st* stream) {
  if (tiles.tiles == 0) return;
  find_escapes(tiles, image, symbols, places, status, stream);
  const RestoreWork work{image, symbols, places, status};
  if (is_small(tiles)) return launch_small(tiles, work, StoreWords{out}, stream);
  launch(&restore_large_tiles, tiles.tiles, 0, stream, tiles, work, out);
}

void gpu_reconstruct_weights(const GpuTiles& tiles, const GpuDequantize& how, u64 values, const u8* image, u8* symbols,
                             u8* weights, u32* places, u64* status, CUstream_st* stream) {
  if (tiles.tiles == 0) return;
  find_escapes(tiles, image, symbols, places, status, stream);
  const RestoreWork work{image, symbols, places, status};
  switch (how.output) {
    case FloatOutput::bf16:
      return launch_small(tiles, work, StoreWeights<FloatOutput::bf16>{how, values, weights}, stream);
    case FloatOutput::f16:
      return launch_small(tiles, work, StoreWeights<FloatOutput::f16>{how, values, weights}, stream);
    case FloatOutput::f32:
      return launch_small(tiles, work, StoreWeights<FloatOutput::f32>{how, values, weights}, stream);
  }
}

}  // namespace wcodec
