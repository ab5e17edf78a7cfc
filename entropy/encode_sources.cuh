// Where a plane's residuals come from: words in device memory, read as they stand. A source has
//   Raw, load(i)   what residuals i … i + 7 are made from, i a multiple of 8: one wide access
//   eight(raw)     these residuals, a byte each
//   four(i)        residuals i … i + 3, a byte each, i a multiple of 4
//   one(i)         residual i
// Reads are of whole words of the GPU, so the memory begins at a multiple of 16.
#pragma once

#include "entropy/gpu_encode_stream.hpp"

namespace wcodec::gpu {

__device__ constexpr u32 in_halves(u32 value) { return value | value << 16; }
__device__ constexpr u32 in_bytes(u32 value) { return in_halves(value | value << 8); }
// Bytewise modulo 2^8.
__device__ constexpr u32 add_bytes(u32 a, u32 b) {
  constexpr u32 kTop = in_bytes(0x80);
  return (a & ~kTop) + (b & ~kTop) ^ (a ^ b) & kTop;
}

class ByteSource {
 public:
  using Raw = uint2;
  __device__ ByteSource(const GpuEncodeStream& stream, const u8* words)
      : words_(words), mask_(in_bytes((1u << stream.bits) - 1)) {}
  __device__ Raw load(u64 i) const { return *reinterpret_cast<const uint2*>(words_ + i); }
  __device__ uint2 eight(Raw raw) const { return {raw.x & mask_, raw.y & mask_}; }
  __device__ u32 four(u64 i) const { return *reinterpret_cast<const u32*>(words_ + i) & mask_; }
  __device__ u32 one(u64 i) const { return words_[i] & mask_ & 0xff; }

 private:
  const u8* words_;
  u32 mask_;
};

// Floats of one byte. The order-preserving word, counted from that of zero, is the magnitude where the sign is clear
// and all of its bits inverted where it is set.
class SignedByteSource {
 public:
  using Raw = uint2;
  __device__ SignedByteSource(const GpuEncodeStream& stream, const u8* words) : words_(words), bits_(stream.bits) {}
  __device__ Raw load(u64 i) const { return *reinterpret_cast<const uint2*>(words_ + i); }
  __device__ uint2 eight(Raw raw) const { return {residuals(raw.x), residuals(raw.y)}; }
  __device__ u32 four(u64 i) const { return residuals(*reinterpret_cast<const u32*>(words_ + i)); }
  __device__ u32 one(u64 i) const { return residuals(words_[i]) & 0xff; }

 private:
  __device__ u32 residuals(u32 words) const {
    const u32 sign = words >> (bits_ - 1) & in_bytes(1);
    return words & in_bytes((1u << (bits_ - 1)) - 1) ^ sign * ((1u << bits_) - 1);
  }
  const u8* words_;
  u32 bits_;
};

// bf16 in halves: its exponents, and the sign above the mantissa.
__device__ inline u32 bf16_exponents(u32 words) { return words >> 7 & 0x00ff00ff; }
__device__ inline u32 bf16_rests(u32 words) { return words >> 8 & 0x00800080 | words & 0x007f007f; }

template <bool kExponents>
class Bf16Source {
 public:
  using Raw = uint4;
  __device__ Bf16Source(const GpuEncodeStream&, const u8* words) : words_(words) {}
  __device__ Raw load(u64 i) const { return *reinterpret_cast<const uint4*>(words_ + 2 * i); }
  __device__ static uint2 eight(Raw raw) {
    return {__byte_perm(halves(raw.x), halves(raw.y), 0x6420), __byte_perm(halves(raw.z), halves(raw.w), 0x6420)};
  }
  __device__ u32 four(u64 i) const {
    const uint2 words = *reinterpret_cast<const uint2*>(words_ + 2 * i);
    return __byte_perm(halves(words.x), halves(words.y), 0x6420);
  }
  __device__ u32 one(u64 i) const { return halves(half(i)) & 0xff; }
  // What is beside exponent i, and beside eight.
  __device__ u8 rest(u64 i) const { return static_cast<u8>(bf16_rests(half(i))); }
  __device__ static uint2 eight_rests(Raw raw) { return Bf16Source<false>::eight(raw); }

 private:
  __device__ u32 half(u64 i) const { return reinterpret_cast<const u16*>(words_)[i]; }
  __device__ static u32 halves(u32 words) { return kExponents ? bf16_exponents(words) : bf16_rests(words); }
  const u8* words_;
};

}  // namespace wcodec::gpu
