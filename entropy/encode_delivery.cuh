// A chunk that a warp has written to its scratch finds its place behind the chunks before it and moves there; on the
// way, its bytes are added to the checksum.
//
// The place comes from those before (Merrill and Garland, "Single-pass parallel prefix scan with decoupled look-back",
// 2016): each says how long it is as soon as it knows, and where it ends as soon as it knows that. Chunks are taken in
// order by warps that are running, so those waited for come to an end.
#pragma once

#include "core/crc_algebra.hpp"
#include "entropy/gpu_encode_stream.hpp"
#include "entropy/lane_words.cuh"

namespace wcodec::gpu {

// Bytes before chunk `index`, which has `size`. All lanes of a warp call it and get the same.
__device__ inline u64 find_place(volatile u64* places, u64 index, u64 size, u32 lane) {
  u64 before = 0;
  if (index > 0) {
    if (lane == 0) places[index] = kPlacePartial | size;
    constexpr u64 kValue = kPlacePartial - 1;
    for (u64 end = index;;) {
      // Lane l looks at chunk end − 1 − l; before the first there is nothing, which is known.
      const u64 seen = lane < end ? u64{places[end - 1 - lane]} : u64{kPlaceWhole};
      const u32 whole = __ballot_sync(kAll, seen >= kPlaceWhole), unknown = __ballot_sync(kAll, seen == 0);
      const u32 used = whole != 0 ? __ffs(static_cast<int>(whole)) : kMaxLanes;
      if ((unknown & (kAll >> (kMaxLanes - used))) != 0) {
        __nanosleep(100);
        continue;
      }
      u64 sum = lane < used ? seen & kValue : 0;
      for (u32 distance = kMaxLanes / 2; distance > 0; distance /= 2) sum += __shfl_xor_sync(kAll, sum, distance);
      before += sum;
      if (whole != 0) break;
      end -= kMaxLanes;
    }
  }
  if (lane == 0) places[index] = kPlaceWhole | (before + size);
  return before;
}

// The checksum's tables in shared memory: four copies of `next`, lane l using copy l mod 4, so that fewer lanes meet in
// a bank.
class CrcSteps {
 public:
  static constexpr u32 kCopies = 4, kShared = kCopies * 4 * 256 * 4;

  __device__ CrcSteps(const GpuCrcTables* tables, const u32* shared, u32 lane)
      : tables_(tables), next_(shared + lane % kCopies), lane_(lane) {}
  __device__ static void fill(const GpuCrcTables* tables, u32* shared) {
    for (u32 i = threadIdx.x; i < kShared / 4; i += blockDim.x) shared[i] = __ldg(&tables->next[i / kCopies]);
  }

  // `sum` of this lane's words so far moves on by a row of 32 words.
  __device__ u32 next(u32 sum) const {
    return next_[kCopies * (sum & 0xff)] ^ next_[kCopies * (256 + (sum >> 8 & 0xff))] ^
           next_[kCopies * (512 + (sum >> 16 & 0xff))] ^ next_[kCopies * (768 + (sum >> 24))];
  }
  // What rows of words contribute that end at byte 128·rows, from each lane's sum.
  __device__ u32 finish(u32 sum, u64 rows) const {
    sum = __reduce_xor_sync(kAll, crc_times(sum, __ldg(&tables_->of_lane[lane_])));
    const auto power = [&](int digit) {
      return __ldg(&tables_->position[digit][rows >> (digit * kCrcDigitBits) & (kCrcDigit - 1)]);
    };
    // Two products at once, in lanes of their own.
    const u32 two = lane_ % 2 == 0 ? crc_times(sum, power(0)) : crc_times(power(1), power(2));
    return crc_times(two, __shfl_xor_sync(kAll, two, 1));
  }

 private:
  const GpuCrcTables* tables_;
  const u32* next_;
  u32 lane_;
};

// Bytes [offset, offset + size) of `out`, which begins at a multiple of 4 and is whole words long: copied there from
// `from` where kCopy, and in any case summed up. `from` may be read three bytes before and seven behind. Returns the
// contribution to the checksum in all lanes.
template <bool kCopy>
__device__ u32 deliver(const u8* from, u64 size, u8* out, u64 offset, const CrcSteps& crc, u32 lane) {
  const u64 end = offset + size, first = offset / 4, last = (end - 1) / 4, rows = last / kMaxLanes + 1;
  // Words of `out` lie across two words of `from`.
  const u8* const source = kCopy ? from - offset : out;
  const u32 shift = kCopy ? 8 * (reinterpret_cast<std::uintptr_t>(source) & 3) : 0;
  const u32* const words = reinterpret_cast<const u32*>(source - shift / 8);
  const auto load = [&](u64 at) { return kCopy ? __funnelshift_r(words[at], words[at + 1], shift) : words[at]; };
  u32 sum = 0;
  const auto edge = [&](u64 at) {
    u32 word = 0;
    if (at >= first && at <= last) {
      u32 kept = kAll;
      if (at == first) kept <<= 8 * (offset & 3);
      if (at == last) kept &= kAll >> 8 * (3 - ((end - 1) & 3));
      word = load(at) & kept;
      if constexpr (kCopy) {
        if (kept == kAll) {
          reinterpret_cast<u32*>(out)[at] = word;
        } else {
          for (u32 byte = 0; byte < 4; ++byte) {
            if ((kept >> 8 * byte & 1) != 0) out[4 * at + byte] = static_cast<u8>(word >> 8 * byte);
          }
        }
      }
    }
    sum = crc.next(sum) ^ word;
  };
  u64 row = first / kMaxLanes;
  edge(row * kMaxLanes + lane);
  for (++row; row + 4 < rows; row += 4) {
    u32 word[4];
#pragma unroll
    for (int k = 0; k < 4; ++k) word[k] = load((row + k) * kMaxLanes + lane);
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      if constexpr (kCopy) reinterpret_cast<u32*>(out)[(row + k) * kMaxLanes + lane] = word[k];
      sum = crc.next(sum) ^ word[k];
    }
  }
  for (; row < rows; ++row) edge(row * kMaxLanes + lane);
  return crc.finish(sum, rows);
}

}  // namespace wcodec::gpu
