// Where decoded fields go: to bytes, with the low bits that lie uncoded at the chunk's end, or to bf16 words, with the
// plane of sign and mantissa that lies beside. A round of a warp writes 32 or 64 neighbouring words, whole sectors.
//
// kSymbols: fields an entry holds.
#pragma once

#include "entropy/gpu_stream.hpp"
#include "entropy/lane_words.cuh"
#include "entropy/low_bits.hpp"

namespace wcodec::gpu {

struct SinkPlace {
  const u8* image;
  const u8* map;  // in shared memory
  u8* words;      // of the tensor
  u64 first;      // symbol of the chunk
  const u8* low;  // the chunk's uncoded bits
  u8* buffer;     // Uncoded::kShared bytes of shared memory
  u32 lane;
};

// kOutput is not `joined`. kLow: 0, 2 or 4 uncoded bits to be added; any number of them with mapped_bits.
template <int kSymbols, GpuOutput kOutput, int kLow>
class ByteSink {
  static constexpr bool kMapped = kOutput == GpuOutput::mapped_bits;
  static constexpr bool kHasLow = kOutput != GpuOutput::bytes;
  static_assert(kSymbols == 2 || !kHasLow);
  struct Nothing {
    __device__ Nothing(u8*, const u8*, u32, u32) {}
    __device__ u32 next_group() { return 0; }
  };

 public:
  static constexpr u32 kShared = kHasLow ? Uncoded::kShared : 0;
  static constexpr int kThreads = 512, kBlocks = 3;  // a block at most; blocks to a multiprocessor

  __device__ ByteSink(const GpuStream& stream, const SinkPlace& place)
      : map_(place.map),
        low_(place.low),
        chunk_(place.words + place.first),
        out_(chunk_ + kSymbols * place.lane),
        low_bits_(kMapped ? stream.low_bits : kLow),
        first_bit_(2 * low_bits_ * place.lane),
        uncoded_(place.buffer, low_, 8 * kGroup * low_bits_, place.lane) {
    // Moves the first symbol's bits to bit 8 and the second's to bit 24.
    factor_ = ((1u << 8) | (1u << (24 - kLow))) >> (first_bit_ & 7);
  }
  __device__ static u32 fields(u32 first, u32 second) { return first << 8 | second << 24; }
  __device__ static u32 first_field(u32 entry) { return entry >> 8 & 0xff; }
  __device__ static u32 second_field(u32 entry) { return entry >> 24; }
  __device__ u32 field(u32 high) const { return kMapped ? high << low_bits_ : map_[high << (kHasLow ? kLow : 0)]; }

  __device__ void begin_group() {
    if constexpr (kHasLow) uncoded_at_ = uncoded_.next_group() + (first_bit_ >> 3);
  }
  __device__ void end_group() { out_ += kSymbols * kMaxLanes * kGroup; }
  __device__ void put(u32 entry, int round) {
    u8* const out = out_ + kSymbols * kMaxLanes * round;
    if constexpr (kSymbols == 1) {
      *out = static_cast<u8>(entry);
    } else if constexpr (kMapped) {
      const u32 at = uncoded_at_ + 8 * low_bits_ * round, mask = (1u << low_bits_) - 1;
      const u32 bits = (shared_u8(at) | shared_u8(at + 1) << 8 | shared_u8(at + 2) << 16) >> (first_bit_ & 7);
      const u32 a = map_[first_field(entry) | (bits & mask)];
      const u32 b = map_[second_field(entry) | (bits >> low_bits_ & mask)];
      *reinterpret_cast<u16*>(out) = static_cast<u16>(a | b << 8);
    } else {
      if constexpr (kHasLow) {
        const u32 low = shared_u8(uncoded_at_ + 8 * kLow * round);
        entry += low * factor_ & (kLowMask << 8 | kLowMask << 24);  // bits 16 … 23 are free for a carry
      }
      *reinterpret_cast<u16*>(out) = static_cast<u16>(__byte_perm(entry, 0, 0x4431));
    }
  }
  // Symbol i of the chunk alone.
  __device__ void put_one(u64 i, u32 field) {
    u32 low = 0;
    if constexpr (kHasLow) {
      const u64 bit = i * low_bits_;
      const u8* const at = low_ + bit / 8;
      low = (__ldg(at) | __ldg(at + 1) << 8) >> (bit % 8) & ((1u << low_bits_) - 1);
    }
    chunk_[i] = static_cast<u8>(kMapped ? map_[field | low] : field + low);
  }

 private:
  static constexpr u32 kLowMask = (1u << kLow) - 1;
  const u8 *map_, *low_;
  u8 *chunk_, *out_;
  u32 low_bits_, first_bit_, factor_, uncoded_at_;
  std::conditional_t<kHasLow, Uncoded, Nothing> uncoded_;
};

template <int kSymbols>
class JoinSink {
 public:
  static constexpr u32 kShared = Uncoded::kShared;
  static constexpr int kThreads = 256, kBlocks = 5;  // more warps, and registers spill

  __device__ JoinSink(const GpuStream& stream, const SinkPlace& place)
      : map_(place.map),
        beside_(place.image + stream.beside + place.first),
        chunk_(reinterpret_cast<u16*>(place.words) + place.first),
        out_(chunk_ + kSymbols * place.lane),
        lane_(place.lane),
        uncoded_(place.buffer, beside_, kSymbols * kMaxLanes * kGroup, place.lane) {}
  __device__ static u32 fields(u32 first, u32 second) { return first << 7 | second << 23; }
  __device__ static u32 first_field(u32 entry) { return entry >> 7 & 0xff; }
  __device__ static u32 second_field(u32 entry) { return entry >> 23 & 0xff; }
  __device__ u32 field(u32 high) const { return map_[high]; }

  __device__ void begin_group() { uncoded_at_ = uncoded_.next_group() + kSymbols * lane_; }
  __device__ void end_group() { out_ += kSymbols * kMaxLanes * kGroup; }
  __device__ void put(u32 entry, int round) {
    u16* const out = out_ + kSymbols * kMaxLanes * round;
    const u32 at = uncoded_at_ + kSymbols * kMaxLanes * round;
    if constexpr (kSymbols == 2) {
      // Each byte to both bytes of its word: the mask takes the sign from one and the mantissa from the other.
      const u32 both = __byte_perm(shared_u16(at), 0, 0x1100);
      *reinterpret_cast<u32*>(out) = (both & 0x807f807f) | (entry & 0x7f807f80);
    } else {
      *out = word(entry & 0xff, shared_u8(at));
    }
  }
  __device__ void put_one(u64 i, u32 field) { chunk_[i] = word(field, __ldg(beside_ + i)); }

 private:
  __device__ static u16 word(u32 exponent, u32 rest) {
    return static_cast<u16>((rest & 0x80) << 8 | exponent << 7 | (rest & 0x7f));
  }
  const u8 *map_, *beside_;
  u16 *chunk_, *out_;
  u32 lane_, uncoded_at_;
  Uncoded uncoded_;
};

}  // namespace wcodec::gpu
