// A power of two of neighbouring lanes of a warp that work on one tile, each on rows or columns of its own. Groups of a
// warp may go different ways: every exchange is among the lanes of a group only.
#pragma once

#include "core/types.hpp"

namespace wcodec::gpu {

struct LaneGroup {
  u32 mask;  // its lanes in the warp
  int lane;  // in the group
  int size;

  // `size` is a power of two up to 32, `warp_lane` this lane's number in the warp.
  __device__ LaneGroup(int warp_lane, int group_size)
      : mask((0xffffffffu >> (32 - group_size)) << (warp_lane & ~(group_size - 1))),
        lane(warp_lane & (group_size - 1)),
        size(group_size) {}

  // Memory that lanes of the group have written is seen by all of them.
  __device__ void sync() const { __syncwarp(mask); }
  // Of the lane before; the first lane's own.
  __device__ u32 from_before(u32 value) const { return __shfl_up_sync(mask, value, 1, size); }
  __device__ u32 from(u32 value, int of_lane) const { return __shfl_sync(mask, value, of_lane, size); }
  // Sum of the values up to and with this lane's, modulo 2^32.
  __device__ u32 sum_up_to(u32 value) const {
    for (int distance = 1; distance < size; distance *= 2) {
      const u32 before = __shfl_up_sync(mask, value, distance, size);
      if (lane >= distance) value += before;
    }
    return value;
  }
};

}  // namespace wcodec::gpu
