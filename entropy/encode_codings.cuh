// What a lane's state takes in. In a block of 256 symbols lane l has the eight from 8l on; what is looked up for them
// does not depend on the state, so it is looked up ahead. A coding has
//   kSymbols, kRounds      of an item; items a lane has in a block
//   Block, prepare(high)   what the rounds need, from eight high parts, a byte each
//   encode(x, block, r)    round r, all lanes
//   encode_one(x, a, b)    an item alone, of the lanes that are active
#pragma once

#include "entropy/encode_sources.cuh"
#include "entropy/lane_words.cuh"

namespace wcodec::gpu {

// Words on their way down, the lowest lane's lowest.
class WordsDown {
 public:
  __device__ WordsDown(u8* end, u32 lane) : base_(reinterpret_cast<u16*>(end)), below_((1u << lane) - 1) {}
  __device__ u8* end() const { return reinterpret_cast<u8*>(base_ + at_); }
  __device__ void put(u32& x, bool full) {
    const u32 mask = __ballot_sync(kAll, full);
    at_ -= __popc(mask);
    u16* const to = base_ + (at_ + __popc(mask & below_));
    if (full) *to = static_cast<u16>(x);
    x = full ? x >> 16 : x;
  }
  // Between blocks: a short distance from an address is cheaper than an address.
  __device__ void rebase() {
    base_ += at_;
    at_ = 0;
#if defined(__CUDA_ARCH__)
    asm volatile("" : "+l"(base_));  // computed here, not in each round
    __builtin_assume(__isGlobal(base_));
#endif
  }

 private:
  u16* base_;
  int at_ = 0;
  u32 below_;
};

// kDirect: as gpu_pair_entries says.
template <bool kDirect>
class PairCoding {
 public:
  static constexpr int kSymbols = 2, kRounds = 4;
  struct Block {
    u32 entry[kRounds];
    uint2 high;
  };

  __device__ PairCoding(const GpuEncodeStream& stream, const u8* tables)
      : table_(tables),
        bits_(stream.window),
        mask_((1u << stream.window) - 1),
        back_(in_halves(0u - stream.first & mask_)),
        first_(stream.first) {}
  __host__ __device__ static u32 table_bytes(const GpuEncodeStream& stream) {
    return 4 * gpu_pair_entries(stream.window);
  }

  __device__ void prepare(uint2 high, Block& block) const {
    block.high = high;
    const u32 words[] = {high.x, high.y};
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const u32 word = words[half];
      if constexpr (kDirect) {
        const u32 pairs = (word & in_halves(mask_)) | (word >> (8 - bits_) & in_halves(mask_ << bits_));
        block.entry[2 * half] = entry_at(pairs & 0xffff);
        block.entry[2 * half + 1] = entry_at(pairs >> 16);
      } else {
        block.entry[2 * half] = clamped_entry(__byte_perm(word, 0, 0x4140));
        block.entry[2 * half + 1] = clamped_entry(__byte_perm(word, 0, 0x4342));
      }
    }
  }
  __device__ void encode(u32& x, const Block& block, int r, WordsDown& words) const {
    encode_entry(x, block.entry[r], words, [&] {
      const u32 pair = (r < 2 ? block.high.x : block.high.y) >> 16 * (r % 2);
      return (pair & 0xff) | (pair >> 8 & 0xff) << bits_;
    });
  }
  __device__ void encode_one(u32& x, u32 a, u32 b, bool is_active, WordsDown& words) const {
    const u32 entry = !is_active ? 0 : kDirect ? entry_at(a | b << bits_) : clamped_entry(a | b << 16);
    encode_entry(x, entry, words, [&] { return a | b << bits_; });
  }
  // Pairs with an odd last symbol.
  __device__ u32 filler() const { return first_; }

 private:
  __device__ u32 entry_at(u32 index) const { return reinterpret_cast<const u32*>(table_)[index]; }
  __device__ u32 clamped_entry(u32 halves) const {
    const u32 at = __vminu2(halves + back_ & in_halves(mask_), in_halves(kMaxPairSymbols));
    return entry_at((at & 0xffff) + (at >> 16) * PairEncodeTable::kSide);
  }
  template <class Raw>
  __device__ void encode_entry(u32& x, u32 entry, WordsDown& words, Raw&& raw) const {
    if (any_lane_has<kGpuEncodeEscape>(entry)) {
      const bool escapes = (entry & kGpuEncodeEscape) != 0;
      words.put(x, escapes && x >> (32 - 2 * bits_) != 0);
      if (escapes) x = x << 2 * bits_ | raw();
    }
    // By the length, modulo 32.
    words.put(x, __funnelshift_l(x, 0, entry) != 0);
    x = __funnelshift_l(entry, x, entry);
  }

  const u8* table_;
  u32 bits_, mask_, back_, first_;
};

// Single symbols under one table.
class RansCoding {
 public:
  static constexpr int kSymbols = 1, kRounds = 8;
  struct Block {
    uint2 entry[kRounds];
  };

  __device__ RansCoding(const GpuEncodeStream& stream, const u8* tables)
      : table_(reinterpret_cast<const uint2*>(tables)), precision_(stream.precision) {}
  __host__ __device__ static u32 table_bytes(const GpuEncodeStream&) { return 256 * sizeof(uint2); }

  __device__ void prepare(uint2 high, Block& block) const {
#pragma unroll
    for (int r = 0; r < kRounds; ++r) block.entry[r] = table_[(r < 4 ? high.x : high.y) >> 8 * (r % 4) & 0xff];
  }
  __device__ void encode(u32& x, const Block& block, int r, WordsDown& words) const {
    encode_entry(x, block.entry[r], true, words);
  }
  __device__ void encode_one(u32& x, u32 symbol, u32, bool is_active, WordsDown& words) const {
    encode_entry(x, table_[is_active ? symbol : 0], is_active, words);
  }
  __device__ static u32 filler() { return 0; }

 private:
  __device__ void encode_entry(u32& x, uint2 entry, bool is_active, WordsDown& words) const {
    const u32 frequency = entry.y & 0xffff;
    words.put(x, is_active && x >> (32 - precision_) >= frequency);
    if (!is_active) return;
    // x = q·f + r becomes q·2^p + r + start; the quotient by the reciprocal is at most one too small.
    const u32 quotient = __umulhi(entry.x, x), step = (1u << precision_) - frequency;
    const bool is_short = x - quotient * frequency >= frequency;
    x += (entry.y >> 16) + quotient * step + (is_short ? step : 0);
  }

  const uint2* table_;
  u32 precision_;
};

}  // namespace wcodec::gpu
