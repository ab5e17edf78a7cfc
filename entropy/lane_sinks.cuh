// Where decoded fields go: to bytes, with the low bits that lie uncoded beside, or to bf16 words, with the plane of
// sign and mantissa that lies beside. A lane has eight neighbouring symbols of a block (lanes.hpp), reads what belongs
// to them in one access and writes them in one.
//
// kSymbols: fields an entry holds; kRounds of them make a block.
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
  u32 lane;
};

template <int kSymbols>
inline constexpr int kRounds = static_cast<int>(kLaneSymbols) / kSymbols;

// Fields of rANS entries, bits 12 … 19, of four rounds to the bytes of a word.
__device__ inline u32 four_fields(const u32* entry) {
  const u32 even = __byte_perm(entry[0], entry[2], 0x6521), odd = __byte_perm(entry[1], entry[3], 0x6521);
  return (even >> 4 & 0x00ff00ff) | (odd << 4 & 0xff00ff00);
}

// Uncoded bits of a part (low_bits.hpp), a word a block: a lane's eight symbols lie in it beside those of 4/kWidth − 1
// other lanes.
template <int kWidth>
class LowWord {
  static constexpr u32 kSharing = 4 / kWidth;

 public:
  __device__ LowWord(const u8* section, u64 first, u32 lane)
      : from_(reinterpret_cast<const u32*>(section + first * kWidth / 8) + lane / kSharing),
        shift_(lane % kSharing * 2 * kWidth) {}
  // Loads run a block ahead, beyond a chunk's last by less than kGpuPadding.
  __device__ u32 load(u32 block) const { return __ldg(from_ + block * (kMaxLanes / kSharing)); }
  __device__ void take(u32 word, u32& first_four, u32& last_four, int shift) const {
    constexpr u32 kMask = 0x01010101u * ((1u << kWidth) - 1);
    if constexpr (kSharing > 1) word >>= shift_;
    first_four ^= (word & kMask) << shift;
    last_four ^= (word >> kWidth & kMask) << shift;
  }

 private:
  const u32* from_;
  u32 shift_;
};

// To bytes; kLow (0 … 7) uncoded bits of each are added.
template <int kSymbols, int kLow>
class ByteSink {
 public:
  static constexpr int kThreads = 512, kBlocks = 3;  // a block at most; blocks to a multiprocessor

  __device__ ByteSink(const GpuStream& stream, const SinkPlace& place)
      : map_(place.map),
        image_(place.image),
        stream_(stream),
        first_(place.first),
        chunk_(place.words + place.first),
        out_(chunk_ + kLaneSymbols * place.lane),
        four_(place.image + stream.low[0], place.first, place.lane),
        two_(place.image + stream.low[1], place.first, place.lane),
        one_(place.image + stream.low[2], place.first, place.lane) {
    load(0);
  }
  __device__ static u32 fields(u32 first, u32 second) { return first << 8 | second << 24; }
  __device__ static u32 first_field(u32 entry) { return entry >> 8 & 0xff; }
  __device__ static u32 second_field(u32 entry) { return entry >> 24; }
  __device__ u32 field(u32 high) const { return map_[high << kLow]; }

  // Entries of a block's rounds.
  __device__ void put(const u32* entry, u32 block) {
    u32 first, last;
    if constexpr (kSymbols == 2) {
      first = __byte_perm(entry[0], entry[1], 0x7531);
      last = __byte_perm(entry[2], entry[3], 0x7531);
    } else {
      first = four_fields(entry);
      last = four_fields(entry + 4);
    }
    if constexpr ((kLow & 4) != 0) four_.take(ahead_[0], first, last, 0);
    if constexpr ((kLow & 2) != 0) two_.take(ahead_[1], first, last, kLow & 4);
    if constexpr ((kLow & 1) != 0) one_.take(ahead_[2], first, last, kLow & 6);
    *reinterpret_cast<uint2*>(out_) = {first, last};
    out_ += kBlockSymbols;
    load(block + 1);
  }
  // Symbol i of the chunk alone.
  __device__ void put_one(u32 i, u32 field) {
    if constexpr (kLow != 0) {
      const u64 symbol = first_ + i;
      for (int part = 0; part < 3; ++part) {
        const int width = 4 >> part;
        if ((kLow & width) == 0) continue;
        const u32 inside = static_cast<u32>(symbol % (32 / width));
        const u32 byte = __ldg(image_ + stream_.low[part] + symbol / (32 / width) * 4 + inside % 4);
        field ^= (byte >> inside / 4 * width & ((1u << width) - 1)) << (kLow & ~(2 * width - 1));
      }
    }
    chunk_[i] = static_cast<u8>(field);
  }

 private:
  __device__ void load(u32 block) {
    if constexpr ((kLow & 4) != 0) ahead_[0] = four_.load(block);
    if constexpr ((kLow & 2) != 0) ahead_[1] = two_.load(block);
    if constexpr ((kLow & 1) != 0) ahead_[2] = one_.load(block);
  }
  const u8 *map_, *image_;
  const GpuStream& stream_;
  u64 first_;
  u8 *chunk_, *out_;
  LowWord<4> four_;
  LowWord<2> two_;
  LowWord<1> one_;
  u32 ahead_[3];
};

// To bf16 words: fields are exponents.
template <int kSymbols>
class JoinSink {
 public:
  static constexpr int kThreads = 256, kBlocks = 5;  // more warps, and registers spill

  __device__ JoinSink(const GpuStream& stream, const SinkPlace& place)
      : map_(place.map),
        beside_(place.image + stream.beside + place.first),
        from_(reinterpret_cast<const uint2*>(beside_) + place.lane),
        chunk_(reinterpret_cast<u16*>(place.words) + place.first),
        out_(reinterpret_cast<uint4*>(chunk_) + place.lane) {
    ahead_ = __ldg(from_);
  }
  __device__ static u32 fields(u32 first, u32 second) { return first << 7 | second << 23; }
  __device__ static u32 first_field(u32 entry) { return entry >> 7 & 0xff; }
  __device__ static u32 second_field(u32 entry) { return entry >> 23 & 0xff; }
  __device__ u32 field(u32 high) const { return map_[high]; }

  __device__ void put(const u32* entry, u32) {
    uint4 words;
    words.x = join(pair(entry, 0), ahead_.x, 0x1100);
    words.y = join(pair(entry, 1), ahead_.x, 0x3322);
    words.z = join(pair(entry, 2), ahead_.y, 0x1100);
    words.w = join(pair(entry, 3), ahead_.y, 0x3322);
    *out_ = words;
    out_ += kMaxLanes;
    from_ += kMaxLanes;
    ahead_ = __ldg(from_);  // beyond a chunk's last block by less than kGpuPadding
  }
  __device__ void put_one(u32 i, u32 field) {
    const u32 rest = __ldg(beside_ + i);
    chunk_[i] = static_cast<u16>((rest & 0x80) << 8 | field << 7 | (rest & 0x7f));
  }

 private:
  // Two exponents where the words have them, other bits undefined.
  __device__ static u32 pair(const u32* entry, int k) {
    if constexpr (kSymbols == 2) {
      return entry[k];
    } else {
      // A field's bits 12 … 19 in bytes 1 and 2 of an entry: to bits 4 … 11 and 20 … 27, then to 7 and 23.
      return __byte_perm(entry[2 * k], entry[2 * k + 1], 0x6521) << 3;
    }
  }
  // Each byte to both bytes of its word: the mask takes the sign from one and the mantissa from the other.
  __device__ static u32 join(u32 exponents, u32 bytes, u32 which) {
    return (__byte_perm(bytes, 0, which) & 0x807f807f) | (exponents & 0x7f807f80);
  }
  const u8 *map_, *beside_;
  const uint2* from_;
  u16* chunk_;
  uint4* out_;
  uint2 ahead_;
};

}  // namespace wcodec::gpu
