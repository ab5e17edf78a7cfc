// Fixed-width names used everywhere, and the two byte spans that all interfaces speak.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#if defined(__CUDACC__)
#define WC_HD __host__ __device__
#else
#define WC_HD
#endif

namespace wcodec {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i8 = std::int8_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;
using sv = std::string_view;

using Bytes = std::span<const u8>;
using MutBytes = std::span<u8>;

}  // namespace wcodec
