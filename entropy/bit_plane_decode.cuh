// A bit of each of many symbols, under the bits above it: a warp decodes a chunk (lane_decode.cuh has states and words
// in common with this). Symbols are bytes; a pass shifts its bit into each, the last pass makes the plane's bytes of
// them.
#pragma once

#include "entropy/bit_plane.hpp"
#include "entropy/gpu_bit_planes.hpp"
#include "entropy/lane_decode.cuh"

namespace wcodec::gpu {

struct BitPass {
  GpuBitPlane plane;
  u64 count;  // symbols
  u64 size;   // of the image, kGpuPadding behind the last chunk
  u64 map;    // 256 bytes: what a residual becomes
  u8 bits;    // of a symbol
  u16 order;  // of its faults (gpu_status)
  bool is_last;
};

// The contexts' table and the map, in shared memory.
struct BitTables {
  u16 zero[1 << kMaxBitPlaneLevel];
  u8 map[256];

  __device__ void load(const BitPass& pass, const u8* image) {
    const u16* const table = reinterpret_cast<const u16*>(image + pass.plane.table);
    for (u32 i = threadIdx.x; i < 1u << pass.plane.level; i += blockDim.x) zero[i] = table[i];
    for (u32 i = threadIdx.x; i < 256; i += blockDim.x) map[i] = image[pass.map + i];
    __syncthreads();
  }
  __device__ u32 zero_under(const BitPass& pass, u32 prefix) const {
    return zero[prefix >> (pass.plane.known - pass.plane.level)];
  }
  // What stands in a symbol's place once its bit is known.
  __device__ u8 with_bit(const BitPass& pass, u32 prefix, u32 bit) const {
    const u32 known = prefix << 1 | bit;
    return static_cast<u8>(pass.is_last ? map[known ^ 1u << (pass.bits - 1)] : known);
  }
};

__device__ inline u32 bits_above(const BitPass& pass, const u8* symbols, u64 i) {
  return pass.plane.known == 0 ? 0 : symbols[i];
}

// A lane's state and its bit's context to the bit.
__device__ inline u32 take_bit(u32& x, u32 zero) {
  constexpr u32 kMask = (1u << kBitPlanePrecision) - 1;
  const u32 slot = x & kMask;
  const bool bit = slot >= zero;
  x = (bit ? kMask + 1 - zero : zero) * (x >> kBitPlanePrecision) + slot - (bit ? zero : 0);
  return bit ? 1 : 0;
}

__device__ inline GpuFault decode_bit_chunk(const BitPass& pass, const BitTables& tables, const u8* image, u8* symbols,
                                            u64 index, u8* buffer, u32 lane) {
  const u64* const offsets = reinterpret_cast<const u64*>(image + pass.plane.offsets) + index;
  const u8* const chunk = image + pass.plane.bytes + offsets[0];
  const u64 size = offsets[1] - offsets[0], first = index << pass.plane.log2_chunk;
  const u32 count = static_cast<u32>(min(pass.count - first, u64{1} << pass.plane.log2_chunk));
  const u32 lanes = static_cast<u32>(lanes_of(count));
  u8* const own = symbols + first;
  u32 x, state_bytes;
  if (const GpuFault fault = read_states(chunk, size, lanes, lane, x, state_bytes); fault != GpuFault::none)
    return fault;
  Words words(buffer, chunk + state_bytes, image + pass.size - 32, lane);
  const u32 coded = count - static_cast<u32>(seeded_symbols(count, 1));
  const u32 blocked = static_cast<u32>(blocked_symbols(coded, static_cast<int>(lanes)));
  for (u32 b = 0; b < blocked; b += kBlockSymbols) {
    words.top_up();
    uint2* const eight = reinterpret_cast<uint2*>(own + b) + lane;
    const uint2 above = pass.plane.known == 0 ? uint2{0, 0} : *eight;
    uint2 with_bits{0, 0};
#pragma unroll
    for (int i = 0; i < static_cast<int>(kLaneSymbols); ++i) {
      const u32 prefix = (i < 4 ? above.x : above.y) >> 8 * (i % 4) & 0xff;
      const u32 symbol = tables.with_bit(pass, prefix, take_bit(x, tables.zero_under(pass, prefix)));
      (i < 4 ? with_bits.x : with_bits.y) |= symbol << 8 * (i % 4);
      words.refill(x);
    }
    *eight = with_bits;
  }
  for (u32 i = blocked; i < coded; i += lanes) {
    words.top_up();
    const u32 at = i + lane;
    const bool active = lane < lanes && at < coded;
    if (active) {
      const u32 prefix = bits_above(pass, own, at);
      own[at] = tables.with_bit(pass, prefix, take_bit(x, tables.zero_under(pass, prefix)));
    }
    words.refill(x, active);
  }
  bool ended = words.bytes_taken() == size - state_bytes;
  if (lanes == kMaxLanes) {
    const int slots = symbols_per_seed(1);
    ended = ended && x >> slots == kLaneLow >> slots;
    for (int k = 0; k < slots; ++k) {
      const u32 at = coded + kMaxLanes * k + lane;
      own[at] = tables.with_bit(pass, bits_above(pass, own, at), x >> k & 1);
    }
  } else {
    ended = ended && (lane >= lanes || x == kLaneLow);
  }
  return __all_sync(kAll, ended) ? GpuFault::none : GpuFault::bad_end;
}

inline constexpr int kBitThreads = 256, kBitWarps = kBitThreads / kMaxLanes;

__global__ void __launch_bounds__(kBitThreads)
    decode_bit_plane(const __grid_constant__ BitPass pass, const u8* image, u8* symbols, u64* status) {
  __shared__ alignas(16) u8 buffers[kBitWarps * kStaged];
  __shared__ BitTables tables;
  tables.load(pass, image);
  const u32 lane = threadIdx.x % kMaxLanes, warp = __shfl_sync(kAll, threadIdx.x / kMaxLanes, 0);
  const u64 chunks = (pass.count + (u64{1} << pass.plane.log2_chunk) - 1) >> pass.plane.log2_chunk;
  for (u64 index = u64{blockIdx.x} * kBitWarps + warp; index < chunks; index += u64{gridDim.x} * kBitWarps) {
    const GpuFault fault = decode_bit_chunk(pass, tables, image, symbols, index, buffers + kStaged * warp, lane);
    if (fault != GpuFault::none && lane == 0)
      atomicMax(reinterpret_cast<unsigned long long*>(status), gpu_status(fault, index, pass.order));
  }
}

// Planes that are stored, or have no bit to tell.
__global__ void __launch_bounds__(kBitThreads)
    add_known_bits(const __grid_constant__ BitPass pass, const u8* image, u8* symbols) {
  __shared__ BitTables tables;
  tables.load(pass, image);
  const u64 stride = u64{gridDim.x} * blockDim.x;
  for (u64 i = u64{blockIdx.x} * blockDim.x + threadIdx.x; i < pass.count; i += stride) {
    const u32 prefix = bits_above(pass, symbols, i);
    const u32 bit = pass.plane.kind == GpuBitPlane::Kind::stored ? image[pass.plane.bytes + i / 8] >> i % 8 & 1
                    : tables.zero_under(pass, prefix) == 0       ? 1
                                                                 : 0;
    symbols[i] = tables.with_bit(pass, prefix, bit);
  }
}

}  // namespace wcodec::gpu
