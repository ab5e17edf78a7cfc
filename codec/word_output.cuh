// Where finished words go: to memory as they are, or multiplied by their scales as weights of a model's type.
//
// An output's put<kWidth>(row, column, piece) takes kWidth neighbouring words of a row; where kWidth is 16 or 4 all
// rows begin at multiples of it.
#pragma once

#include "codec/gpu_dequantize.hpp"

namespace wcodec::gpu {

// kWidth bytes, four to a word.
template <int kWidth>
struct Piece {
  u32 four[(kWidth + 3) / 4];
  __device__ u32 byte(int i) const { return four[i / 4] >> 8 * (i % 4) & 0xff; }
};

struct WordOutput {
  u8* out;
  i64 cols;

  template <int kWidth>
  __device__ void put(i64 r, i64 c, const Piece<kWidth>& piece) const {
    u8* const to = out + r * cols + c;
    if constexpr (kWidth == 16) {
      *reinterpret_cast<uint4*>(to) = make_uint4(piece.four[0], piece.four[1], piece.four[2], piece.four[3]);
    } else if constexpr (kWidth == 4) {
      *reinterpret_cast<u32*>(to) = piece.four[0];
    } else {
      *to = static_cast<u8>(piece.four[0]);
    }
  }
};

// What float_bits gives, by the instruction that converts.
template <FloatOutput kOutput>
__device__ u32 converted(float weight) {
  const bool is_nan = weight != weight;
  if constexpr (kOutput == FloatOutput::f32) {
    return is_nan ? 0x7fc00000 : __float_as_uint(weight);
  } else {
    u16 bits;
    if constexpr (kOutput == FloatOutput::bf16) {
      asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(weight));
    } else {
      asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(weight));
    }
    return is_nan ? float_bits<kOutput>(__uint_as_float(0x7fc00000)) : bits;
  }
}

template <FloatOutput kOutput>
struct WeightOutput {
  static constexpr int kBytes = float_bytes(kOutput);
  GpuDequantize how;
  const float* values;  // of each word, in shared memory
  u8* out;
  i64 cols;

  __device__ float scale(u64 place) const { return __ldg(how.scales + place); }
  __device__ float zero_point(u64 place) const {
    return how.zero_points == nullptr ? 0.0f : static_cast<float>(__ldg(how.zero_points + place));
  }

  template <int kWidth>
  __device__ void put(i64 r, i64 c, const Piece<kWidth>& piece) const {
    const u64 row = static_cast<u64>(r), column = static_cast<u64>(c);
    u32 packed[kWidth * kBytes / 4 + 1] = {};
    const bool share = kWidth == 1 || how.places.group % kWidth == 0;
    u64 place = how.places.at(row, column);
    float s = scale(place), z = zero_point(place);
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      if (!share && i > 0) {
        place = how.places.at(row, column + static_cast<u32>(i));
        s = scale(place), z = zero_point(place);
      }
      const u32 bits = converted<kOutput>(dequantized(values[piece.byte(i)], z, s));
      packed[i * kBytes / 4] |= bits << 8 * (i * kBytes % 4);
    }
    u8* const to = out + (row * static_cast<u64>(cols) + column) * kBytes;
    if constexpr (kWidth * kBytes % 16 == 0) {
#pragma unroll
      for (int i = 0; i < kWidth * kBytes / 16; ++i)
        reinterpret_cast<uint4*>(to)[i] =
            make_uint4(packed[4 * i], packed[4 * i + 1], packed[4 * i + 2], packed[4 * i + 3]);
    } else if constexpr (kWidth * kBytes == 8) {
      *reinterpret_cast<uint2*>(to) = make_uint2(packed[0], packed[1]);
    } else if constexpr (kWidth * kBytes == 4) {
      *reinterpret_cast<u32*>(to) = packed[0];
    } else {
      *reinterpret_cast<u16*>(to) = static_cast<u16>(packed[0]);
    }
  }
};

}  // namespace wcodec::gpu
