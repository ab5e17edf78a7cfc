// The words of a chunk on their way to the lanes of a warp, which is what 32 interleaved lanes have in common, whatever
// their step (entropy/lanes.hpp). Who takes a word is a ballot, which word it is a population count.
//
// Words pass through a ring in shared memory, so that the look-up that follows the ballot is short: two halves of 512
// bytes, and a second copy of the first behind them, so that half a ring can be read from anywhere without a wrap. The
// next half is in registers by the time it is due, shifted to even addresses.
#pragma once

#include "entropy/lanes.hpp"

namespace wcodec::gpu {

inline constexpr u32 kAll = 0xffffffff;
inline constexpr u32 kHalf = 512, kStaged = 3 * kHalf;  // bytes
static_assert(kHalf / 2 >= kBlockSymbols, "a block must not run out of words");

__device__ inline u32 lanes_below() {
  u32 mask;
  asm("mov.u32 %0, %%lanemask_lt;" : "=r"(mask));
  return mask;
}
__device__ inline u32 shared_u16(u32 address) {
  u16 value;
  asm volatile("ld.shared.u16 %0, [%1];" : "=h"(value) : "r"(address));
  return value;
}
__device__ inline u32 shared_u32(u32 address) {
  u32 value;
  asm("ld.shared.u32 %0, [%1];" : "=r"(value) : "r"(address));
  return value;
}
__device__ inline u32 shared_address(const void* at) { return static_cast<u32>(__cvta_generic_to_shared(at)); }

// Whether a lane's value has one of these bits.
template <u32 kBits>
__device__ inline bool any_lane_has(u32 value) {
  u32 any;
  asm volatile(
      "{\n"
      "  .reg .pred has;\n"
      "  .reg .u32 bits;\n"
      "  and.b32 bits, %1, %2;\n"
      "  setp.ne.u32 has, bits, 0;\n"
      "  vote.sync.any.pred has, has, 0xffffffff;\n"
      "  selp.u32 %0, 1, 0, has;\n"
      "}"
      : "=r"(any)
      : "r"(value), "n"(kBits));
  return any != 0;
}

class Words {
 public:
  // `buffer`: kStaged bytes of shared memory, this warp's own. `last`: a multiple of 16 where 32 bytes may be read;
  // nothing beyond them is.
  __device__ Words(u8* buffer, const u8* begin, const u8* last, u32 lane)
      : buffer_(reinterpret_cast<uint4*>(buffer) + lane),
        base_(shared_address(buffer)),
        below_(lanes_below()),
        last_(last) {
    is_last_ = lane == kMaxLanes - 1;
    const u64 address = reinterpret_cast<u64>(begin);
    from_ = begin - address % 16 + 16 * lane;
    shift_ = 8 * static_cast<u32>(address & 1);
    first_ = next_ = base_ + static_cast<u32>(address & 14);
    edge_ = base_ + kHalf;
    __syncwarp();
    put_first(fetch());
    buffer_[kMaxLanes] = fetch();
    ahead_ = fetch();
    __syncwarp();
  }

  // After it kHalf / 2 words may be taken.
  __device__ void top_up() {
    if (next_ < edge_) return;
    // A half is used up.
    __syncwarp();
    if (edge_ == base_ + kHalf) {
      put_first(ahead_);
      edge_ += kHalf;
    } else {
      buffer_[kMaxLanes] = ahead_;
      edge_ -= kHalf;
      next_ -= 2 * kHalf;
      first_ -= 2 * kHalf;
    }
    ahead_ = fetch();
    __syncwarp();
  }

  // Lanes below 2^16 take the next words, in lane order.
  __device__ void refill(u32& x) {
    u32 all;
    asm volatile(
        "{\n"
        "  .reg .pred due;\n"
        "  .reg .u32 at;\n"
        "  .reg .u16 word, low, high;\n"
        "  setp.lt.u32 due, %0, 0x10000;\n"
        "  vote.sync.ballot.b32 %1, due, 0xffffffff;\n"
        "  and.b32 at, %1, %3;\n"
        "  popc.b32 at, at;\n"
        "  mad.lo.u32 at, at, 2, %2;\n"
        "  @due ld.shared.u16 word, [at];\n"
        "  mov.b32 {low, high}, %0;\n"
        "  @due mov.b32 %0, {word, low};\n"
        "}"
        : "+r"(x), "=&r"(all)
        : "r"(next_), "r"(below_));
    next_ += 2 * __popc(all);
  }
  // The same for those that take part.
  __device__ void refill(u32& x, bool takes_part) {
    const bool due = takes_part && x < kLaneLow;
    const u32 all = __ballot_sync(kAll, due);
    if (due) x = x << 16 | shared_u16(next_ + 2 * __popc(all & below_));
    next_ += 2 * __popc(all);
  }

  __device__ u32 bytes_taken() const { return next_ - first_; }

 private:
  __device__ uint4 fetch() {
    const u8* const at = from_ < last_ ? from_ : last_;
    from_ += kHalf;
    uint4 v = __ldg(reinterpret_cast<const uint4*>(at));
    // The byte that follows is the next lane's, but for the last lane.
    u32 after = __shfl_down_sync(kAll, v.x, 1);
    if (is_last_) after = __ldg(reinterpret_cast<const u32*>(at) + 4);
    v.x = __funnelshift_r(v.x, v.y, shift_);
    v.y = __funnelshift_r(v.y, v.z, shift_);
    v.z = __funnelshift_r(v.z, v.w, shift_);
    v.w = __funnelshift_r(v.w, after, shift_);
    return v;
  }

  __device__ void put_first(uint4 half) { buffer_[0] = buffer_[2 * kMaxLanes] = half; }

  uint4* buffer_;  // this lane's part of the first half
  u32 base_, below_, shift_;
  u32 next_, first_;  // shared addresses of words; the first one's falls as the ring goes round
  u32 edge_;          // where the half that is being read ends
  const u8 *from_, *last_;
  bool is_last_;
  uint4 ahead_;
};

}  // namespace wcodec::gpu
