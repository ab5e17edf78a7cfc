// A warp decodes a chunk: lane l of the stream is lane l of the warp. Template parameters:
//   Code (PairSteps, RansSteps, WideRansSteps): a lane's state to an entry, which holds one or two decoded fields
//   Sink (lane_sinks.cuh): fields, and what lies uncoded beside them, to words
// Streams may be hostile. Every address is bounded by the chunk's own size, which the host has checked, or by
// kGpuPadding; the number of rounds is fixed before the first. What a chunk's bytes say decides values only, and a
// chunk that does not end as it must is reported.
#pragma once

#include "entropy/lane_sinks.cuh"
#include "entropy/pair_code.hpp"

namespace wcodec::gpu {

struct PairSteps {
  static constexpr int kSymbols = 2;
  u32 table;
  __device__ PairSteps(const GpuStream&, const u8* tables, u32, u32) : table(shared_address(tables)) {}
  __host__ __device__ static u32 table_bytes(const GpuStream&) { return 4 * kPairSlots; }
  __device__ u32 step(u32& x) const {
    const u32 entry = shared_u32(table + 4 * (x & (kPairSlots - 1)));
    x = __funnelshift_r(x, 0, entry);  // by the length, modulo 32
    return entry;
  }
};

// The table stands in shared memory as often as there is room for, entry by entry, so that lanes look theirs up in
// banks of their own, or of few.
struct RansSteps {
  static constexpr int kSymbols = 1;
  u32 table, stride, precision, mask;
  __device__ RansSteps(const GpuStream& stream, const u8* tables, u32 copies, u32 lane)
      : table(shared_address(tables) + lane % copies * 4),
        stride(4 * copies),
        precision(stream.precision),
        mask((1u << stream.precision) - 1) {}
  __host__ __device__ static u32 table_bytes(const GpuStream& stream) { return 4u << stream.precision; }
  __device__ u32 step(u32& x) const {
    const u32 entry = shared_u32(table + stride * (x & mask));
    x = (entry >> 20) * (x >> precision) + (entry & 0xfff);
    return entry;
  }
};

struct WideRansSteps {
  static constexpr int kSymbols = 1;
  const u8 *symbols, *map;
  const u32* ranges;
  u32 precision, mask, low_bits;
  __device__ WideRansSteps(const GpuStream& stream, const u8* tables, u32, u32)
      : symbols(tables),
        map(tables + table_bytes(stream)),
        ranges(reinterpret_cast<const u32*>(tables + (1u << stream.precision))),
        precision(stream.precision),
        mask((1u << stream.precision) - 1),
        low_bits(stream.low_bits) {}
  __host__ __device__ static u32 table_bytes(const GpuStream& stream) { return (1u << stream.precision) + 1024; }
  __device__ u32 step(u32& x) const {
    const u32 slot = x & mask, symbol = symbols[slot], range = ranges[symbol];
    x = ((range & 0xffff) + 1) * (x >> precision) + slot - (range >> 16);
    return u32{map[symbol << low_bits]} << 12;
  }
};

// The states a chunk begins with; how many bytes they took goes to `taken`.
__device__ inline GpuFault read_states(const u8* chunk, u64 size, u32 lanes, u32 lane, u32& x, u32& taken) {
  if (lanes != kMaxLanes) {
    x = kLaneLow;
    if (lane < lanes && 4 * lane + 4 <= size) {
      x = 0;
      for (u32 byte = 0; byte < 4; ++byte) x |= u32{__ldg(chunk + 4 * lane + byte)} << 8 * byte;
    }
    taken = 4 * lanes;
    if (__any_sync(kAll, x < kLaneLow)) return GpuFault::bad_states;
    return size < taken ? GpuFault::truncated_states : GpuFault::none;
  }
  if (size < 80) return GpuFault::truncated_states;
  const u32 extra = __ldg(chunk + lane / 2) >> (4 * (lane % 2)) & 15;
  u32 end = extra;
  for (u32 distance = 1; distance < kMaxLanes; distance *= 2) {
    const u32 before = __shfl_up_sync(kAll, end, distance);
    if (lane >= distance) end += before;
  }
  const u32 bits = __shfl_sync(kAll, end, kMaxLanes - 1), rest = (bits + 7) / 8;
  taken = 80 + rest;
  if (size < taken) return GpuFault::truncated_states;
  const u32 bit = end - extra;
  const u8* const at = chunk + 80 + bit / 8;
  const u32 three = __ldg(at) | __ldg(at + 1) << 8 | __ldg(at + 2) << 16;
  const u32 low = __ldg(chunk + 16 + 2 * lane) | __ldg(chunk + 17 + 2 * lane) << 8;
  x = ((1u << extra) | (three >> bit % 8 & ((1u << extra) - 1))) << 16 | low;
  const bool padded = bits % 8 == 0 || __ldg(chunk + taken - 1) >> bits % 8 == 0;
  return padded ? GpuFault::none : GpuFault::bad_states;
}

// The symbols of pairs that share the escape, in lane order, and what their fields are.
template <class Sink>
__device__ void take_escaped(u32& x, u32& entry, bool escaped, int high_bits, Words& words, const Sink& sink) {
  words.top_up();
  if (escaped) {
    const u32 mask = (1u << high_bits) - 1;
    entry = Sink::fields(sink.field(x & mask), sink.field(x >> high_bits & mask));
    x >>= 2 * high_bits;
  }
  words.refill(x, escaped);
  words.top_up();
}

// Decodes chunk `index` of the stream.
template <class Code, class Sink>
__device__ GpuFault decode_chunk(const GpuStream& stream, const Code& code, const u8* image, const u8* map, u8* out,
                                 u64 index, u8* buffer, u32 lane) {
  const u64* const offsets = reinterpret_cast<const u64*>(image + stream.offsets) + index;
  const u8* const chunk = image + stream.bytes + offsets[0];
  const u64 size = offsets[1] - offsets[0], first = index << stream.log2_chunk;
  const u32 count = static_cast<u32>(min(stream.count - first, u64{1} << stream.log2_chunk));
  const u32 lanes = static_cast<u32>(lanes_of(count));
  const int high_bits = stream.window;
  u32 x, state_bytes;
  if (const GpuFault fault = read_states(chunk, size, lanes, lane, x, state_bytes); fault != GpuFault::none)
    return fault;

  Sink sink(stream, {image, map, out, first, lane});
  Words words(buffer, chunk + state_bytes, image + stream.size - 32, lane);
  const u32 coded = count - static_cast<u32>(seeded_symbols(count, high_bits));
  const u32 blocks = static_cast<u32>(blocked_symbols(coded, static_cast<int>(lanes)) / kBlockSymbols);
  for (u32 b = 0; b < blocks; ++b) {
    words.top_up();
    u32 entry[kRounds<Code::kSymbols>];
#pragma unroll
    for (int r = 0; r < kRounds<Code::kSymbols>; ++r) {
      entry[r] = code.step(x);
      words.refill(x);
      if constexpr (Code::kSymbols == 2) {
        if (any_lane_has<kGpuEscape>(entry[r]))
          take_escaped(x, entry[r], (entry[r] & kGpuEscape) != 0, high_bits, words, sink);
      }
    }
    sink.put(entry, b);
  }
  // What is no whole block, and short chunks: a round at a time, perhaps not of all lanes.
  for (u32 i = blocks * static_cast<u32>(kBlockSymbols); i < coded; i += Code::kSymbols * lanes) {
    words.top_up();
    const u32 at = i + Code::kSymbols * lane;
    const bool active = lane < lanes && at < coded;
    u32 entry = 0;
    if (active) entry = code.step(x);
    words.refill(x, active);
    if constexpr (Code::kSymbols == 2) {
      const bool escaped = (entry & kGpuEscape) != 0;
      if (__any_sync(kAll, escaped)) take_escaped(x, entry, escaped, high_bits, words, sink);
      if (active) sink.put_one(at, Sink::first_field(entry));
      if (active && at + 1 < coded) sink.put_one(at + 1, Sink::second_field(entry));
    } else if (active) {
      sink.put_one(at, entry >> 12 & 0xff);
    }
  }
  bool ended = words.bytes_taken() == size - state_bytes;
  if (lanes == kMaxLanes) {
    const int slots = symbols_per_seed(high_bits), seed_bits = slots * high_bits;
    ended = ended && x >> seed_bits == kLaneLow >> seed_bits;
    for (int k = 0; k < slots; ++k)
      sink.put_one(coded + kMaxLanes * k + lane, sink.field(x >> (k * high_bits) & ((1u << high_bits) - 1)));
  } else {
    ended = ended && (lane >= lanes || x == kLaneLow);
  }
  return __all_sync(kAll, ended) ? GpuFault::none : GpuFault::bad_end;
}

// Shared memory: copies of the tables, 256 bytes of map, kStaged bytes a warp.
template <class Code, class Sink>
__global__ void __launch_bounds__(Sink::kThreads, Sink::kBlocks)
    decode_stream(const __grid_constant__ GpuStream stream, u32 copies, const u8* image, u8* out, u64* status) {
  extern __shared__ uint4 shared[];
  // A launch that follows directly may begin while this one ends, and then waits for it at its own end.
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;");
#endif
  u8* const tables = reinterpret_cast<u8*>(shared);
  const u32 table_bytes = Code::table_bytes(stream), lane = threadIdx.x % kMaxLanes,
            warp = __shfl_sync(kAll, threadIdx.x / kMaxLanes, 0);  // known to be the same in all lanes
  if (copies == 1) {
    const uint4* const table = reinterpret_cast<const uint4*>(image + stream.table);
    for (u32 i = threadIdx.x; i < table_bytes / 16; i += blockDim.x) shared[i] = __ldg(table + i);
  } else {
    const u32* const table = reinterpret_cast<const u32*>(image + stream.table);
    u32* const to = reinterpret_cast<u32*>(shared);
    for (u32 i = threadIdx.x; i < table_bytes / 4 * copies; i += blockDim.x) to[i] = __ldg(table + i / copies);
  }
  u8* const map = tables + table_bytes * copies;
  const u32* const map_from = reinterpret_cast<const u32*>(image + stream.map);
  for (u32 i = threadIdx.x; i < 64; i += blockDim.x) reinterpret_cast<u32*>(map)[i] = __ldg(map_from + i);
  __syncthreads();
  const Code code(stream, tables, copies, lane);
  u8* const buffer = map + 256 + kStaged * warp;
  const u64 warps = u64{gridDim.x} * (blockDim.x / kMaxLanes);
  for (u64 index = u64{blockIdx.x} * (blockDim.x / kMaxLanes) + warp; index < stream.chunks(); index += warps) {
    const GpuFault fault = decode_chunk<Code, Sink>(stream, code, image, map, out, index, buffer, lane);
    if (fault != GpuFault::none && lane == 0)
      atomicMax(reinterpret_cast<unsigned long long*>(status), gpu_status(fault, index, stream.order));
  }
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

}  // namespace wcodec::gpu
