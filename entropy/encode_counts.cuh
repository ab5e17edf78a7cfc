// Before and beside coding: how often each symbol occurs, in which range they are, and planes stored uncoded. Streams
// here have no offset (plain_stream).
#pragma once

#include "entropy/encode_delivery.cuh"
#include "entropy/encode_sources.cuh"

namespace wcodec::gpu {

inline constexpr int kCountThreads = 256, kCountWarps = kCountThreads / kMaxLanes;

// Adds to counts[0, 256) the symbols of blocks of `block`, `stride` apart; both are multiples of 4. A histogram a warp,
// so that few meet in a counter.
template <class Source>
__global__ void __launch_bounds__(kCountThreads)
    count_symbols(const __grid_constant__ GpuEncodeStream stream, const u8* words, u64 block, u64 stride, u32* counts) {
  __shared__ u32 histograms[kCountWarps * 256];
  for (u32 i = threadIdx.x; i < kCountWarps * 256; i += kCountThreads) histograms[i] = 0;
  __syncthreads();
  u32* const mine = histograms + threadIdx.x / kMaxLanes * 256;
  const Source source(stream, words);
  for (u64 first = blockIdx.x * stride; first < stream.count; first += gridDim.x * stride) {
    const u64 end = min(first + block, stream.count), whole = end / 4 * 4;
#pragma unroll 4
    for (u64 i = first + 4 * threadIdx.x; i < whole; i += 4 * kCountThreads) {
      const u32 four = source.four(i);
      for (u32 k = 0; k < 4; ++k) atomicAdd(&mine[four >> 8 * k & 0xff], 1);
    }
    if (whole + threadIdx.x < end) atomicAdd(&mine[source.one(whole + threadIdx.x)], 1);
  }
  __syncthreads();
  for (u32 s = threadIdx.x; s < 256; s += kCountThreads) {
    u32 sum = 0;
    for (u32 warp = 0; warp < kCountWarps; ++warp) sum += histograms[warp * 256 + s];
    if (sum != 0) atomicAdd(&counts[s], sum);
  }
}

// What is added so that the likeliest symbol (of several, the least) stands in the middle: prefix_centring. All threads
// of a block of kCountThreads call it.
__device__ inline u32 centring(const u32* counts, u32 bits) {
  static_assert(kCountThreads == 256);
  __shared__ u64 likeliest;
  if (threadIdx.x == 0) likeliest = 0;
  __syncthreads();
  const u64 rank = u64{counts[threadIdx.x]} << 8 | (255 - threadIdx.x);
  atomicMax(reinterpret_cast<unsigned long long*>(&likeliest), rank);
  __syncthreads();
  const u32 symbol = 255 - static_cast<u32>(likeliest & 0xff);
  __syncthreads();
  return ((1u << (bits - 1)) - symbol) & ((1u << bits) - 1);
}

// Least and most of symbols that come in halves.
class Range {
 public:
  __device__ Range(u32 add, u32 bits) : add_(in_halves(add)), mask_(in_halves((1u << bits) - 1)) {}
  __device__ void take(u32 halves) {
    const u32 centred = halves + add_ & mask_;
    least_ = __vminu2(least_, centred);
    most_ = __vmaxu2(most_, centred);
  }
  __device__ void put(GpuCounts* counts) const {
    const u32 least = __reduce_min_sync(kAll, min(least_ & 0xffff, least_ >> 16));
    const u32 most = __reduce_max_sync(kAll, max(most_ & 0xffff, most_ >> 16));
    if (threadIdx.x % kMaxLanes != 0 || least > 255) return;
    atomicMax(&counts->least_inverted, 255 - least);
    atomicMax(&counts->most, most);
  }

 private:
  u32 add_, mask_;
  u32 least_ = in_halves(256), most_ = 0;
};

// The range of all symbols, which counts have to be there for.
template <class Source>
__global__ void __launch_bounds__(kCountThreads)
    find_range(const __grid_constant__ GpuEncodeStream stream, const u8* words, GpuCounts* counts) {
  const Source source(stream, words);
  Range range(centring(counts->of_symbol, stream.bits), stream.bits);
  const u64 thread = u64{blockIdx.x} * kCountThreads + threadIdx.x, threads = u64{gridDim.x} * kCountThreads;
  const u64 whole = stream.count / 8 * 8;
#pragma unroll 4
  for (u64 i = 8 * thread; i < whole; i += 8 * threads) {
    const uint2 eight = source.eight(source.load(i));
    for (const u32 four : {eight.x, eight.y}) {
      range.take(four & 0x00ff00ff);
      range.take(four >> 8 & 0x00ff00ff);
    }
  }
  if (whole + thread < stream.count) range.take(in_halves(source.one(whole + thread)));
  range.put(counts);
}

// Of both planes of bf16, at one reading.
template <class Word>
__global__ void __launch_bounds__(kCountThreads) find_bf16_ranges(u64 count, const Word* words, GpuCounts* counts) {
  Range exponents(centring(counts[0].of_symbol, 8), 8), rests(centring(counts[1].of_symbol, 8), 8);
  const u64 thread = u64{blockIdx.x} * kCountThreads + threadIdx.x, threads = u64{gridDim.x} * kCountThreads;
  const u64 whole = count / 8 * 8;
#pragma unroll 4
  for (u64 i = 8 * thread; i < whole; i += 8 * threads) {
    const uint4 eight = *reinterpret_cast<const uint4*>(words + i);
    for (const u32 two : {eight.x, eight.y, eight.z, eight.w}) {
      exponents.take(bf16_exponents(two));
      rests.take(bf16_rests(two));
    }
  }
  if (whole + thread < count) {
    const u32 two = in_halves(words[whole + thread]);
    exponents.take(bf16_exponents(two));
    rests.take(bf16_rests(two));
  }
  exponents.put(counts);
  rests.put(counts + 1);
}

// Packs residuals at their width, a block of kStoreSymbols a warp, and sums up the bytes.
inline constexpr u32 kStoreSymbols = 8192;
template <class Source>
__global__ void __launch_bounds__(kCountThreads)
    store_symbols(const __grid_constant__ GpuEncodeStream stream, const u8* image, const u8* words, u8* out, u32* crc) {
  __shared__ u32 crc_shared[CrcSteps::kShared / 4];
  const auto* const crc_tables = reinterpret_cast<const GpuCrcTables*>(image + stream.crc_tables);
  CrcSteps::fill(crc_tables, crc_shared);
  __syncthreads();
  const u32 lane = threadIdx.x % kMaxLanes, bits = stream.bits;
  const CrcSteps steps(crc_tables, crc_shared, lane);
  const Source source(stream, words);
  const u64 warps = u64{gridDim.x} * kCountWarps, size = (stream.count * bits + 7) / 8;
  u32 sum = 0;
  for (u64 block = u64{blockIdx.x} * kCountWarps + threadIdx.x / kMaxLanes; block * kStoreSymbols < stream.count;
       block += warps) {
    const u64 first = block * kStoreSymbols / 8 * bits, end = min(first + kStoreSymbols / 8 * bits, size);
    const u64 whole = bits == 8 ? end / 4 * 4 : first;
    for (u64 at = first + 4 * lane; at < whole; at += 4 * kMaxLanes)
      *reinterpret_cast<u32*>(out + at) = source.four(at);
    for (u64 at = whole + lane; at < end; at += kMaxLanes) {
      const u64 begin = 8 * at / bits;
      u32 packed = 0;
      for (u64 i = begin; i < stream.count && i * bits < 8 * at + 8; ++i) {
        const u32 symbol = source.one(i);
        packed |= i == begin ? symbol >> (8 * at - begin * bits) : symbol << (i * bits - 8 * at);
      }
      out[at] = static_cast<u8>(packed);
    }
    __syncwarp();
    sum ^= deliver<false>(nullptr, end - first, out, first, steps, lane);
  }
  if (lane == 0 && sum != 0) atomicXor(crc, sum);
}

}  // namespace wcodec::gpu
