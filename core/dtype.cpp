#include "core/dtype.hpp"

#include <array>

namespace wcodec {
namespace {

using enum NumberClass;

constexpr std::array<DTypeInfo, 23> kInfo = {{
    {"BOOL", 8, 1, unsigned_int, 0, 0},    {"U8", 8, 1, unsigned_int, 0, 0},   {"I8", 8, 1, signed_int, 0, 0},
    {"U16", 16, 2, unsigned_int, 0, 0},    {"I16", 16, 2, signed_int, 0, 0},   {"U32", 32, 4, unsigned_int, 0, 0},
    {"I32", 32, 4, signed_int, 0, 0},      {"U64", 64, 8, unsigned_int, 0, 0}, {"I64", 64, 8, signed_int, 0, 0},
    {"F8_E4M3", 8, 1, floating, 4, 3},     {"F8_E5M2", 8, 1, floating, 5, 2},  {"F16", 16, 2, floating, 5, 10},
    {"BF16", 16, 2, floating, 8, 7},       {"F32", 32, 4, floating, 8, 23},    {"F64", 64, 8, floating, 11, 52},
    {"U4", 4, 1, unsigned_int, 0, 0},      {"I4", 4, 1, signed_int, 0, 0},     {"U5", 5, 1, unsigned_int, 0, 0},
    {"I5", 5, 1, signed_int, 0, 0},        {"U6", 6, 1, unsigned_int, 0, 0},   {"I6", 6, 1, signed_int, 0, 0},
    {"F8_E8M0", 8, 1, unsigned_int, 0, 0}, {"C64", 64, 8, unsigned_int, 0, 0},
}};

}  // namespace

const DTypeInfo& info(DType dtype) noexcept { return kInfo[static_cast<u8>(dtype)]; }

std::optional<DType> parse_dtype(sv name) noexcept {
  for (std::size_t i = 0; i < kInfo.size(); ++i) {
    if (kInfo[i].name == name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

bool is_quantizable(DType dtype) noexcept {
  return dtype == DType::f16 || dtype == DType::bf16 || dtype == DType::f32 || dtype == DType::f64;
}

}  // namespace wcodec
