#include "quantizers/planes.hpp"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "core/error.hpp"

namespace wcodec {
namespace {

constexpr std::array<sv, 9> kMantissaNames = {"sign_mantissa", "mantissa1", "mantissa2", "mantissa3", "mantissa4",
                                              "mantissa5",     "mantissa6", "mantissa7", "mantissa8"};
constexpr std::array<sv, 8> kByteNames = {"byte7", "byte6", "byte5", "byte4", "byte3", "byte2", "byte1", "byte0"};

// A plane as a bit field of the (rearranged) word.
struct Field {
  PlaneInfo info;
  int shift;  // of the field's lowest bit
};

bool is_single(const WordFormat& f) noexcept { return f.bits <= 8; }

// One-plane formats: all of the word, order-preserving.
u64 arrange_single(const WordFormat& f, u64 word) noexcept {
  const u64 mask = (u64{1} << f.bits) - 1, top = u64{1} << (f.bits - 1);
  if (f.number == NumberClass::signed_int) return (word ^ top) & mask;
  if (f.number == NumberClass::floating) return ((word & top) ? ~word : word | top) & mask;
  return word & mask;
}

u64 restore_single(const WordFormat& f, u64 symbol) noexcept {
  const u64 mask = (u64{1} << f.bits) - 1, top = u64{1} << (f.bits - 1);
  if (f.number == NumberClass::signed_int) {
    const u64 value = symbol ^ top;
    return (value & top) ? (value | ~mask) & 0xff : value;  // sign-extended to its byte
  }
  if (f.number == NumberClass::floating) return ((symbol & top) ? symbol & ~top : ~symbol) & mask;
  return symbol;
}

std::vector<Field> fields(const WordFormat& f) {
  std::vector<Field> out;
  if (is_single(f)) {
    const u8 zero = f.number == NumberClass::unsigned_int ? u8{0} : static_cast<u8>(1u << (f.bits - 1));
    return {{{"symbols", f.bits, zero, false}, 0}};
  }
  if (f.number == NumberClass::floating) {
    int left = f.bits;
    const int exponent = std::min(8, f.exponent_bits);
    left -= exponent;
    out.push_back({{"exponent", exponent, 0, true}, left});
    for (std::size_t i = 0; left > 0; ++i) {
      const int width = std::min(8, left);
      left -= width;
      out.push_back({{kMantissaNames[i], width, 0, false}, left});
    }
    return out;
  }
  for (int left = f.bits; left > 0; left -= 8) {
    const bool top_signed = left == f.bits && f.number == NumberClass::signed_int;
    out.push_back(
        {{kByteNames[static_cast<std::size_t>(8 - left / 8)], 8, top_signed ? u8{0x80} : u8{0}, false}, left - 8});
  }
  return out;
}

// bf16 and fp32, which have loops of their own that compilers vectorise.
bool is_float(const WordFormat& f, int memory_bytes, int exponent_bits) noexcept {
  return f.number == NumberClass::floating && f.memory_bytes == memory_bytes && f.bits == 8 * memory_bytes &&
         f.exponent_bits == exponent_bits;
}

// The loops of bf16, which weights mostly are; compiled for AVX2 too, as fusing and splitting bytes is what limits
// them.
[[gnu::always_inline]] inline void join_bf16(const u8* exponents, const u8* rests, u64 count, u8* words) noexcept {
  for (u64 i = 0; i < count; ++i) {
    const auto rest = static_cast<u16>(rests[i]);
    const auto word = static_cast<u16>((rest & 0x80) << 8 | static_cast<u16>(exponents[i]) << 7 | (rest & 0x7f));
    std::memcpy(words + 2 * i, &word, 2);
  }
}
[[gnu::always_inline]] inline void split_bf16(const u8* words, u64 count, u8* exponents, u8* rests) noexcept {
  for (u64 i = 0; i < count; ++i) {
    u16 word;
    std::memcpy(&word, words + 2 * i, 2);
    exponents[i] = static_cast<u8>(word >> 7);
    rests[i] = static_cast<u8>((word >> 8 & 0x80) | (word & 0x7f));
  }
}
#if defined(__x86_64__)
__attribute__((target("avx2"))) void join_bf16_avx2(const u8* exponents, const u8* rests, u64 count,
                                                    u8* words) noexcept {
  join_bf16(exponents, rests, count, words);
}
__attribute__((target("avx2"))) void split_bf16_avx2(const u8* words, u64 count, u8* exponents, u8* rests) noexcept {
  split_bf16(words, count, exponents, rests);
}
const bool kHasAvx2 = __builtin_cpu_supports("avx2");
#endif

template <class Word>
void split_words(const QuantizedTensor& tensor, const std::vector<Field>& layout, std::vector<SymbolPlane>& planes) {
  const WordFormat& f = tensor.format;
  const u64 count = tensor.weights();
  for (u64 i = 0; i < count; ++i) {
    Word word;
    std::memcpy(&word, tensor.words.data() + i * sizeof(Word), sizeof(Word));
    const u64 arranged = arrange_word(f, word);
    for (std::size_t p = 0; p < layout.size(); ++p) {
      planes[p].symbols[i] = static_cast<u8>(arranged >> layout[p].shift & ((1u << layout[p].info.bits) - 1));
    }
  }
}

}  // namespace

std::vector<PlaneInfo> plane_layout(const WordFormat& format) {
  std::vector<PlaneInfo> out;
  for (const Field& field : fields(format)) out.push_back(field.info);
  return out;
}

std::vector<SymbolPlane> split_planes(const QuantizedTensor& tensor) {
  const WordFormat& f = tensor.format;
  const u64 count = tensor.weights();
  if (tensor.words.size() != count * static_cast<u64>(f.memory_bytes)) {
    throw Error(ErrorKind::internal, "words do not match the shape of their tensor");
  }
  const std::vector<Field> layout = fields(f);
  std::vector<SymbolPlane> planes;
  for (const Field& field : layout) planes.push_back({field.info, std::vector<u8>(count)});
  const u8* const words = tensor.words.data();
  if (f.bits == 8 && f.number == NumberClass::signed_int) {
    u8* const symbols = planes[0].symbols.data();
    for (u64 i = 0; i < count; ++i) symbols[i] = words[i] ^ 0x80;
  } else if (is_single(f)) {
    std::array<u8, 256> map{};
    for (unsigned w = 0; w < 256; ++w) map[w] = static_cast<u8>(arrange_single(f, w));
    for (u64 i = 0; i < count; ++i) planes[0].symbols[i] = map[words[i]];
  } else if (is_float(f, 2, 8)) {
    u8 *const exponents = planes[0].symbols.data(), *const rests = planes[1].symbols.data();
#if defined(__x86_64__)
    if (kHasAvx2) {
      split_bf16_avx2(words, count, exponents, rests);
      return planes;
    }
#endif
    split_bf16(words, count, exponents, rests);
  } else if (is_float(f, 4, 8)) {
    u8 *const exponent = planes[0].symbols.data(), *const rest = planes[1].symbols.data();
    u8 *const third = planes[2].symbols.data(), *const fourth = planes[3].symbols.data();
    for (u64 i = 0; i < count; ++i) {
      u32 word;
      std::memcpy(&word, words + 4 * i, 4);
      exponent[i] = static_cast<u8>(word >> 23);
      rest[i] = static_cast<u8>((word >> 24 & 0x80) | (word >> 16 & 0x7f));
      third[i] = static_cast<u8>(word >> 8);
      fourth[i] = static_cast<u8>(word);
    }
  } else if (f.memory_bytes == 2) {
    split_words<u16>(tensor, layout, planes);
  } else if (f.memory_bytes == 4) {
    split_words<u32>(tensor, layout, planes);
  } else {
    split_words<u64>(tensor, layout, planes);
  }
  return planes;
}

std::vector<u8> join_planes(const WordFormat& f, const std::vector<std::vector<u8>>& planes, u64 count) {
  std::vector<u8> words(count * static_cast<u64>(f.memory_bytes));
  std::vector<const u8*> pointers;
  for (const auto& plane : planes) pointers.push_back(plane.data());
  join_planes_into(f, pointers, count, words.data());
  return words;
}

void join_planes_into(const WordFormat& f, std::span<const u8* const> planes, u64 count, u8* words) noexcept {
  // Plain pointers: through the span, every store might change them.
  const u8* const first = planes[0];
  if (is_single(f)) {
    if (f.bits == 8 && f.number == NumberClass::signed_int) {
      for (u64 i = 0; i < count; ++i) words[i] = first[i] ^ 0x80;
    } else if (f.bits == 8 && f.number == NumberClass::unsigned_int) {
      if (words != first) std::memcpy(words, first, count);
    } else if (f.number == NumberClass::signed_int) {
      // Sign-extended from bit bits − 1, which the symbol holds inverted.
      const auto zero = static_cast<u8>(1u << (f.bits - 1));
      for (u64 i = 0; i < count; ++i) words[i] = static_cast<u8>(first[i] - zero);
    } else {
      std::array<u8, 256> map{};
      for (unsigned symbol = 0; symbol < 256; ++symbol) map[symbol] = static_cast<u8>(restore_single(f, symbol));
      for (u64 i = 0; i < count; ++i) words[i] = map[first[i]];
    }
    return;
  }
  const u8* const second = planes[1];
  if (is_float(f, 2, 8)) {
#if defined(__x86_64__)
    if (kHasAvx2) return join_bf16_avx2(first, second, count, words);
#endif
    return join_bf16(first, second, count, words);
  }
  if (is_float(f, 4, 8)) {
    const u8 *const third = planes[2], *const fourth = planes[3];
    for (u64 i = 0; i < count; ++i) {
      const u32 rest = second[i];
      const u32 word = (rest & 0x80) << 24 | u32{first[i]} << 23 | (rest & 0x7f) << 16 | u32{third[i]} << 8 | fourth[i];
      std::memcpy(words + 4 * i, &word, 4);
    }
    return;
  }
  const std::vector<Field> layout = fields(f);
  for (u64 i = 0; i < count; ++i) {
    u64 arranged = 0;
    for (std::size_t p = 0; p < layout.size(); ++p) arranged |= u64{planes[p][i]} << layout[p].shift;
    const u64 word = restore_word(f, arranged);
    std::memcpy(words + i * static_cast<u64>(f.memory_bytes), &word, static_cast<std::size_t>(f.memory_bytes));
  }
}

u64 load_word(const WordFormat& format, const u8* words, u64 index) noexcept {
  u64 word = 0;
  std::memcpy(&word, words + index * static_cast<u64>(format.memory_bytes),
              static_cast<std::size_t>(format.memory_bytes));
  return word;
}

u64 order_key(const WordFormat& f, u64 word) noexcept {
  if (is_single(f)) return arrange_single(f, word);
  const u64 mask = f.bits == 64 ? ~u64{0} : (u64{1} << f.bits) - 1, top = u64{1} << (f.bits - 1);
  if (f.number == NumberClass::signed_int) return word ^ top;
  if (f.number == NumberClass::floating) return ((word & top) ? ~word : word | top) & mask;
  return word;
}

u64 word_of_order_key(const WordFormat& f, u64 key) noexcept {
  if (is_single(f)) return restore_single(f, key);
  const u64 mask = f.bits == 64 ? ~u64{0} : (u64{1} << f.bits) - 1, top = u64{1} << (f.bits - 1);
  if (f.number == NumberClass::signed_int) return key ^ top;
  if (f.number == NumberClass::floating) return ((key & top) ? key & ~top : ~key) & mask;
  return key;
}

double word_value(const WordFormat& f, u64 word) noexcept {
  if (f.number == NumberClass::unsigned_int) return static_cast<double>(word);
  if (f.number == NumberClass::signed_int) {
    const int unused = 64 - 8 * f.memory_bytes;
    return static_cast<double>(static_cast<i64>(word << unused) >> unused);
  }
  const u64 exponent_mask = (u64{1} << f.exponent_bits) - 1;
  const u64 exponent = word >> f.mantissa_bits & exponent_mask, mantissa = word & ((u64{1} << f.mantissa_bits) - 1);
  const int bias = (1 << (f.exponent_bits - 1)) - 1;
  // E4M3 has no infinities: its top exponent holds numbers, and NaN only at the all-ones mantissa.
  const bool is_e4m3 = f.bits == 8 && f.exponent_bits == 4;
  if (exponent == exponent_mask && !(is_e4m3 && mantissa != 7)) return std::nan("");
  const double fraction = std::ldexp(static_cast<double>(mantissa), -f.mantissa_bits);
  const double magnitude =
      exponent == 0 ? std::ldexp(fraction, 1 - bias) : std::ldexp(1.0 + fraction, static_cast<int>(exponent) - bias);
  return (word >> (f.bits - 1) & 1) ? -magnitude : magnitude;
}

}  // namespace wcodec
