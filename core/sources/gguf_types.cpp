#include "core/sources/gguf_types.hpp"

#include <algorithm>
#include <cstring>

namespace wcodec {
namespace {

// A field of fixed size that lies in one piece in each block: scales, or whole codes.
template <int BlockBytes, int Offset, int Bytes>
void copy_field(const u8* in, std::size_t blocks, u8* out) noexcept {
  for (std::size_t b = 0; b < blocks; ++b) std::memcpy(out + b * Bytes, in + b * BlockBytes + Offset, Bytes);
}

template <int BlockBytes, int Offset, int Bytes>
void put_field(const u8* in, std::size_t blocks, u8* out) noexcept {
  for (std::size_t b = 0; b < blocks; ++b) std::memcpy(out + b * BlockBytes + Offset, in + b * Bytes, Bytes);
}

constexpr u8 signed_code(int code) noexcept { return static_cast<u8>(static_cast<i8>(code)); }

// Q4_0, Q4_1: the low nibbles are the first half of the block, the high ones the second.
template <int BlockBytes, int Offset, int Zero>
void unpack_4(const u8* in, std::size_t blocks, u8* out) noexcept {
  for (std::size_t b = 0; b < blocks; ++b, in += BlockBytes, out += 32) {
    for (int j = 0; j < 16; ++j) {
      const int byte = in[Offset + j];
      out[j] = signed_code((byte & 15) - Zero);
      out[j + 16] = signed_code((byte >> 4) - Zero);
    }
  }
}

template <int BlockBytes, int Offset, int Zero>
void pack_4(const u8* in, std::size_t blocks, u8* out) noexcept {
  for (std::size_t b = 0; b < blocks; ++b, in += 32, out += BlockBytes) {
    for (int j = 0; j < 16; ++j) {
      out[Offset + j] = static_cast<u8>(((in[j] + Zero) & 15) | ((in[j + 16] + Zero) & 15) << 4);
    }
  }
}

// Q5_0, Q5_1: as above, with the fifth bit of element j in bit j of a word before the nibbles.
template <int BlockBytes, int Offset, int Zero>
void unpack_5(const u8* in, std::size_t blocks, u8* out) noexcept {
  for (std::size_t b = 0; b < blocks; ++b, in += BlockBytes, out += 32) {
    u32 high;
    std::memcpy(&high, in + Offset, 4);
    for (int j = 0; j < 16; ++j) {
      const int byte = in[Offset + 4 + j];
      out[j] = signed_code((byte & 15) + static_cast<int>(high >> j & 1) * 16 - Zero);
      out[j + 16] = signed_code((byte >> 4) + static_cast<int>(high >> (j + 16) & 1) * 16 - Zero);
    }
  }
}

template <int BlockBytes, int Offset, int Zero>
void pack_5(const u8* in, std::size_t blocks, u8* out) noexcept {
  for (std::size_t b = 0; b < blocks; ++b, in += 32, out += BlockBytes) {
    u32 high = 0;
    for (int j = 0; j < 16; ++j) {
      const unsigned first = static_cast<unsigned>(in[j] + Zero), second = static_cast<unsigned>(in[j + 16] + Zero);
      high |= (first >> 4 & 1u) << j | (second >> 4 & 1u) << (j + 16);
      out[Offset + 4 + j] = static_cast<u8>((first & 15u) | (second & 15u) << 4);
    }
    std::memcpy(out + Offset, &high, 4);
  }
}

// Q4_K, Q5_K: twelve bytes after the two super-block scales hold eight pairs of six bits; pairs 4…7 have their upper
// two bits in the bytes of pairs 0…3.
template <int BlockBytes, bool Mins>
void unpack_k_scales(const u8* in, std::size_t blocks, u8* out) noexcept {
  for (std::size_t b = 0; b < blocks; ++b, in += BlockBytes, out += 8) {
    const u8* const q = in + 4;
    for (int j = 0; j < 4; ++j) {
      out[j] = q[j + (Mins ? 4 : 0)] & 63;
      const int low = Mins ? q[j + 8] >> 4 : q[j + 8] & 15;
      out[j + 4] = static_cast<u8>(low | q[j + (Mins ? 4 : 0)] >> 6 << 4);
    }
  }
}

// Both planes share bytes 8…11: each adds its half.
template <int BlockBytes, bool Mins>
void pack_k_scales(const u8* in, std::size_t blocks, u8* out) noexcept {
  for (std::size_t b = 0; b < blocks; ++b, in += 8, out += BlockBytes) {
    u8* const q = out + 4;
    for (int j = 0; j < 4; ++j) {
      q[j + (Mins ? 4 : 0)] = static_cast<u8>((in[j] & 63) | (in[j + 4] >> 4 & 3) << 6);
      const int low = in[j + 4] & 15;
      q[j + 8] = static_cast<u8>(q[j + 8] | (Mins ? low << 4 : low));
    }
  }
}

// Q4_K, Q5_K: 32 bytes hold 64 elements, low nibbles first; Q5_K has a byte of fifth bits for each of 32 columns.
template <int BlockBytes, bool Fifth>
void unpack_k_codes(const u8* in, std::size_t blocks, u8* out) noexcept {
  for (std::size_t b = 0; b < blocks; ++b, in += BlockBytes) {
    const u8* const high = in + 16;
    const u8* const nibbles = in + (Fifth ? 48 : 16);
    for (int chunk = 0; chunk < 4; ++chunk, out += 64) {
      for (int l = 0; l < 32; ++l) {
        const int byte = nibbles[chunk * 32 + l];
        const int fifth = Fifth ? high[l] >> (2 * chunk) : 0;
        out[l] = static_cast<u8>((byte & 15) | (fifth & 1) << 4);
        out[l + 32] = static_cast<u8>(byte >> 4 | (fifth >> 1 & 1) << 4);
      }
    }
  }
}

template <int BlockBytes, bool Fifth>
void pack_k_codes(const u8* in, std::size_t blocks, u8* out) noexcept {
  for (std::size_t b = 0; b < blocks; ++b, out += BlockBytes) {
    u8* const high = out + 16;
    u8* const nibbles = out + (Fifth ? 48 : 16);
    for (int chunk = 0; chunk < 4; ++chunk, in += 64) {
      for (int l = 0; l < 32; ++l) {
        nibbles[chunk * 32 + l] = static_cast<u8>((in[l] & 15) | (in[l + 32] & 15) << 4);
        if (!Fifth) continue;
        const int fifth = (in[l] >> 4 & 1) | (in[l + 32] >> 4 & 1) << 1;
        high[l] = static_cast<u8>(high[l] | fifth << (2 * chunk));
      }
    }
  }
}

// Q6_K: in each half, 64 bytes of nibbles and 32 bytes of two-bit tops make 128 elements, 32 columns at a time.
void unpack_q6_k(const u8* in, std::size_t blocks, u8* out) noexcept {
  for (std::size_t b = 0; b < blocks; ++b, in += 210) {
    for (int half = 0; half < 2; ++half, out += 128) {
      const u8* const low = in + half * 64;
      const u8* const high = in + 128 + half * 32;
      for (int l = 0; l < 32; ++l) {
        for (int quarter = 0; quarter < 4; ++quarter) {
          const int byte = low[l + (quarter & 1) * 32];
          const int nibble = quarter < 2 ? byte & 15 : byte >> 4;
          out[l + quarter * 32] = signed_code((nibble | (high[l] >> (2 * quarter) & 3) << 4) - 32);
        }
      }
    }
  }
}

void pack_q6_k(const u8* in, std::size_t blocks, u8* out) noexcept {
  for (std::size_t b = 0; b < blocks; ++b, out += 210) {
    for (int half = 0; half < 2; ++half, in += 128) {
      u8* const low = out + half * 64;
      u8* const high = out + 128 + half * 32;
      for (int l = 0; l < 32; ++l) {
        for (int quarter = 0; quarter < 4; ++quarter) {
          const unsigned code = (in[l + quarter * 32] + 32u) & 63u;
          u8& byte = low[l + (quarter & 1) * 32];
          byte = static_cast<u8>(byte | (code & 15u) << (quarter < 2 ? 0 : 4));
          high[l] = static_cast<u8>(high[l] | (code >> 4) << (2 * quarter));
        }
      }
    }
  }
}

// A plane whose bytes lie in the block as they are.
template <int BlockBytes, int Offset, int Bytes>
constexpr GgufPlane field(sv suffix, DType dtype, int per_block) {
  return {
      suffix, dtype, per_block, 8 * Bytes, copy_field<BlockBytes, Offset, Bytes>, put_field<BlockBytes, Offset, Bytes>};
}

template <int Bytes>
constexpr GgufPlane plain(DType dtype) {
  return field<Bytes, 0, Bytes>("", dtype, 1);
}

constexpr GgufPlane kF32[] = {plain<4>(DType::f32)}, kF16[] = {plain<2>(DType::f16)}, kBf16[] = {plain<2>(DType::bf16)},
                    kF64[] = {plain<8>(DType::f64)}, kI8[] = {plain<1>(DType::int8)}, kI16[] = {plain<2>(DType::int16)},
                    kI32[] = {plain<4>(DType::int32)}, kI64[] = {plain<8>(DType::int64)};

constexpr GgufPlane kQ4_0[] = {{".codes", DType::int4, 32, 128, unpack_4<18, 2, 8>, pack_4<18, 2, 8>},
                               field<18, 0, 2>(".scales", DType::f16, 1)};
constexpr GgufPlane kQ4_1[] = {{".codes", DType::uint4, 32, 128, unpack_4<20, 4, 0>, pack_4<20, 4, 0>},
                               field<20, 0, 2>(".scales", DType::f16, 1),
                               field<20, 2, 2>(".mins", DType::f16, 1)};
constexpr GgufPlane kQ5_0[] = {{".codes", DType::int5, 32, 160, unpack_5<22, 2, 16>, pack_5<22, 2, 16>},
                               field<22, 0, 2>(".scales", DType::f16, 1)};
constexpr GgufPlane kQ5_1[] = {{".codes", DType::uint5, 32, 160, unpack_5<24, 4, 0>, pack_5<24, 4, 0>},
                               field<24, 0, 2>(".scales", DType::f16, 1),
                               field<24, 2, 2>(".mins", DType::f16, 1)};
constexpr GgufPlane kQ8_0[] = {field<34, 2, 32>(".codes", DType::int8, 32), field<34, 0, 2>(".scales", DType::f16, 1)};
constexpr GgufPlane kQ4_K[] = {
    {".codes", DType::uint4, 256, 1024, unpack_k_codes<144, false>, pack_k_codes<144, false>},
    {".subscales", DType::uint6, 8, 48, unpack_k_scales<144, false>, pack_k_scales<144, false>},
    {".submins", DType::uint6, 8, 48, unpack_k_scales<144, true>, pack_k_scales<144, true>},
    field<144, 0, 2>(".d", DType::f16, 1),
    field<144, 2, 2>(".dmin", DType::f16, 1)};
constexpr GgufPlane kQ5_K[] = {
    {".codes", DType::uint5, 256, 1280, unpack_k_codes<176, true>, pack_k_codes<176, true>},
    {".subscales", DType::uint6, 8, 48, unpack_k_scales<176, false>, pack_k_scales<176, false>},
    {".submins", DType::uint6, 8, 48, unpack_k_scales<176, true>, pack_k_scales<176, true>},
    field<176, 0, 2>(".d", DType::f16, 1),
    field<176, 2, 2>(".dmin", DType::f16, 1)};
constexpr GgufPlane kQ6_K[] = {{".codes", DType::int6, 256, 1536, unpack_q6_k, pack_q6_k},
                               field<210, 192, 16>(".subscales", DType::int8, 16),
                               field<210, 208, 2>(".d", DType::f16, 1)};

// Codes that stand for entries of a table.
constexpr GgufPlane kIq4_Nl[] = {{".codes", DType::uint4, 32, 128, unpack_4<18, 2, 0>, pack_4<18, 2, 0>},
                                 field<18, 0, 2>(".scales", DType::f16, 1)};
constexpr GgufPlane kMxfp4[] = {{".codes", DType::uint4, 32, 128, unpack_4<17, 1, 0>, pack_4<17, 1, 0>},
                                field<17, 0, 1>(".scales", DType::f8_e8m0, 1)};
// Types whose blocks nobody has taken apart here: their bytes as they are.
template <int Bytes>
constexpr GgufPlane kOpaque[] = {field<Bytes, 0, Bytes>(".blocks", DType::uint8, Bytes)};

constexpr GgufType kTypes[] = {
    {0, "F32", 1, 4, kF32},
    {1, "F16", 1, 2, kF16},
    {2, "Q4_0", 32, 18, kQ4_0},
    {3, "Q4_1", 32, 20, kQ4_1},
    {6, "Q5_0", 32, 22, kQ5_0},
    {7, "Q5_1", 32, 24, kQ5_1},
    {8, "Q8_0", 32, 34, kQ8_0},
    {9, "Q8_1", 32, 0, {}},
    {10, "Q2_K", 256, 84, kOpaque<84>},
    {11, "Q3_K", 256, 110, kOpaque<110>},
    {12, "Q4_K", 256, 144, kQ4_K},
    {13, "Q5_K", 256, 176, kQ5_K},
    {14, "Q6_K", 256, 210, kQ6_K},
    {15, "Q8_K", 256, 292, kOpaque<292>},
    {16, "IQ2_XXS", 256, 66, kOpaque<66>},
    {17, "IQ2_XS", 256, 74, kOpaque<74>},
    {18, "IQ3_XXS", 256, 98, kOpaque<98>},
    {19, "IQ1_S", 256, 50, kOpaque<50>},
    {20, "IQ4_NL", 32, 18, kIq4_Nl},
    {21, "IQ3_S", 256, 110, kOpaque<110>},
    {22, "IQ2_S", 256, 82, kOpaque<82>},
    {23, "IQ4_XS", 256, 136, kOpaque<136>},
    {24, "I8", 1, 1, kI8},
    {25, "I16", 1, 2, kI16},
    {26, "I32", 1, 4, kI32},
    {27, "I64", 1, 8, kI64},
    {28, "F64", 1, 8, kF64},
    {29, "IQ1_M", 256, 56, kOpaque<56>},
    {30, "BF16", 1, 2, kBf16},
    {34, "TQ1_0", 256, 54, kOpaque<54>},
    {35, "TQ2_0", 256, 66, kOpaque<66>},
    {39, "MXFP4", 32, 17, kMxfp4},
    {40, "NVFP4", 64, 36, kOpaque<36>},
    {41, "Q1_0", 128, 18, kOpaque<18>},
};

constexpr bool planes_fill_their_blocks() {
  for (const GgufType& type : kTypes) {
    int bits = 0;
    for (const GgufPlane& plane : type.planes) bits += plane.bits_in_file;
    if (bits != 8 * type.block_bytes) return false;
  }
  return true;
}
static_assert(planes_fill_their_blocks());

}  // namespace

const GgufType* find_gguf_type(u32 id) noexcept {
  const auto it = std::find_if(std::begin(kTypes), std::end(kTypes), [&](const GgufType& t) { return t.id == id; });
  return it == std::end(kTypes) ? nullptr : it;
}

}  // namespace wcodec
