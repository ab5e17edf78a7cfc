#include "core/sources/view_spec.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/error.hpp"

namespace wcodec {
namespace {

constexpr OptionInfo kOptions[] = {
    {"nibbles", "low-first", "low-first|high-first", "int4, uint4: which half of a byte is the even column"},
    {"bias", "0", "0…255", "int4, uint4, int8, uint8: subtracted from the stored code, modulo the code's range"},
    {"cols", "0", "0…2^40", "int4, uint4: codes in a row, where the last byte of a row is half used (0: all used)"},
};

struct NamedType {
  sv name;
  DType dtype;
};
constexpr NamedType kTypes[] = {
    {"int4", DType::int4},       {"uint4", DType::uint4},     {"int8", DType::int8},   {"uint8", DType::uint8},
    {"int16", DType::int16},     {"uint16", DType::uint16},   {"int32", DType::int32}, {"uint32", DType::uint32},
    {"f8_e4m3", DType::f8_e4m3}, {"f8_e5m2", DType::f8_e5m2}, {"f16", DType::f16},     {"bf16", DType::bf16},
    {"f32", DType::f32},         {"f64", DType::f64},         {"int64", DType::int64}, {"uint64", DType::uint64},
};

// The code of a nibble as its byte in memory: 0…15, or sign-extended.
u8 nibble_value(const ViewSpec& view, unsigned nibble) noexcept {
  const unsigned value = (nibble - view.bias) & 15u;
  return static_cast<u8>(view.dtype == DType::int4 && value >= 8 ? value | 0xf0u : value);
}

}  // namespace

std::span<const OptionInfo> view_options() noexcept { return kOptions; }

ViewSpec parse_view(const std::string& text) {
  const Spec spec = parse_spec(text);
  const OptionReader reader(spec, kOptions);
  const auto type = std::find_if(std::begin(kTypes), std::end(kTypes), [&](auto& t) { return t.name == spec.name; });
  if (type == std::end(kTypes)) {
    std::vector<sv> names;
    for (const NamedType& t : kTypes) names.push_back(t.name);
    throw Error(ErrorKind::usage,
                fmt::format("view '{}': {}", printable(text), unknown_name("type", spec.name, names)));
  }
  ViewSpec view;
  view.dtype = type->dtype;
  view.packed = info(view.dtype).bits == 4;
  static constexpr sv kOrders[] = {"low-first", "high-first"};
  view.high_first = reader.choice("nibbles", kOrders) == "high-first";
  view.bias = static_cast<u8>(reader.integer("bias", 0, view.packed ? 15 : 255));
  view.cols = reader.integer("cols", 0, i64{1} << 40);
  view.canonical_spec = canonical(spec, kOptions);
  const auto given = [&](const char* key) { return spec.options.count(key) != 0; };
  const bool byte_codes = view.packed || view.dtype == DType::int8 || view.dtype == DType::uint8;
  if ((!view.packed && (given("nibbles") || given("cols"))) || (!byte_codes && given("bias"))) {
    throw Error(ErrorKind::usage, fmt::format("view '{}': nibbles and cols go with int4 and uint4, bias with these and "
                                              "int8 and uint8",
                                              printable(text)));
  }
  return view;
}

void unpack_codes(const ViewSpec& view, Bytes packed, MutBytes codes) noexcept {
  if (!view.packed) {
    // The bias of wider types is 0.
    for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<u8>(packed[i] - view.bias);
    return;
  }
  const int even = view.high_first ? 4 : 0;
  for (std::size_t col = 0; col < codes.size(); ++col) {
    const unsigned byte = packed[col / 2];
    codes[col] = nibble_value(view, byte >> (col % 2 == 0 ? even : 4 - even) & 15u);
  }
}

void pack_codes(const ViewSpec& view, Bytes codes, MutBytes packed) noexcept {
  if (!view.packed) {
    for (std::size_t i = 0; i < packed.size(); ++i) packed[i] = static_cast<u8>(codes[i] + view.bias);
    return;
  }
  const int even = view.high_first ? 4 : 0;
  for (std::size_t i = 0; i < packed.size(); ++i) {
    const unsigned first = codes[2 * i] + view.bias, second = codes[2 * i + 1] + view.bias;
    packed[i] = static_cast<u8>((first & 15u) << even | (second & 15u) << (4 - even));
  }
}

}  // namespace wcodec
