#include "codec/ordered_words.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/error.hpp"
#include "quantizers/planes.hpp"

namespace wcodec {
namespace {

// Both directions in a few operations: word ^ bias is sign-extended from its width, negative ones then get the bits of
// `flip` inverted.
struct Mapping {
  u32 bias, flip;
  int unused;  // bits of a 32-bit number above the word's

  explicit Mapping(const WordFormat& f) noexcept
      : bias(f.number == NumberClass::unsigned_int ? u32{1} << (f.bits - 1) : 0),
        flip(f.number == NumberClass::floating ? (u32{1} << (f.bits - 1)) - 1 : 0),
        unused(32 - f.bits) {}
  i32 number(u32 word) const noexcept {
    const auto extended = static_cast<i32>((word ^ bias) << unused) >> unused;
    return static_cast<i32>(static_cast<u32>(extended) ^ (static_cast<u32>(extended >> 31) & flip));
  }
  // Signed words narrower than their bytes stay sign-extended, others are zero above their width.
  u32 word(i32 number, u32 mask) const noexcept {
    return (static_cast<u32>(number) ^ (static_cast<u32>(number >> 31) & flip) ^ bias) & mask;
  }
};

template <class Word>
std::vector<i32> numbers_of(const QuantizedTensor& tensor, const TileGrid& grid) {
  std::vector<Word> words(tensor.weights());
  std::vector<i32> numbers(words.size());
  if (words.empty()) return numbers;
  std::memcpy(words.data(), tensor.words.data(), tensor.words.size());
  const Mapping mapping(tensor.format);
  for (i64 t = 0; t < grid.tiles(); ++t) {
    const Tile<const Word> tile = grid.tile<const Word>(words.data(), t);
    auto at = static_cast<std::size_t>(grid.offset(t));
    for (int r = 0; r < tile.rows; ++r) {
      for (int c = 0; c < tile.cols; ++c) numbers[at++] = mapping.number(tile(r, c));
    }
  }
  return numbers;
}

template <class Word>
std::vector<u8> bytes_of(const std::vector<i32>& numbers, const WordFormat& format, const TileGrid& grid) {
  std::vector<Word> words(numbers.size());
  if (words.empty()) return {};
  const Mapping mapping(format);
  const u32 mask = format.number == NumberClass::signed_int ? ~u32{0} : ~u32{0} >> mapping.unused;
  for (i64 t = 0; t < grid.tiles(); ++t) {
    const Tile<Word> tile = grid.tile(words.data(), t);
    auto at = static_cast<std::size_t>(grid.offset(t));
    for (int r = 0; r < tile.rows; ++r) {
      for (int c = 0; c < tile.cols; ++c) tile(r, c) = static_cast<Word>(mapping.word(numbers[at++], mask));
    }
  }
  std::vector<u8> bytes(words.size() * sizeof(Word));
  std::memcpy(bytes.data(), words.data(), bytes.size());
  return bytes;
}

}  // namespace

std::vector<i32> centred_words(const QuantizedTensor& tensor, const TileGrid& grid) {
  if (tensor.words.size() != tensor.weights() * static_cast<u64>(tensor.format.memory_bytes))
    throw Error(ErrorKind::internal, "words do not match the shape of their tensor");
  switch (tensor.format.memory_bytes) {
    case 1:
      return numbers_of<u8>(tensor, grid);
    case 2:
      return numbers_of<u16>(tensor, grid);
    default:
      return numbers_of<u32>(tensor, grid);
  }
}

std::vector<u8> words_of(const std::vector<i32>& numbers, const WordFormat& format, const TileGrid& grid) {
  switch (format.memory_bytes) {
    case 1:
      return bytes_of<u8>(numbers, format, grid);
    case 2:
      return bytes_of<u16>(numbers, format, grid);
    default:
      return bytes_of<u32>(numbers, format, grid);
  }
}

double value_of(i32 number, const WordFormat& format) noexcept {
  const u32 mask = ~u32{0} >> (32 - 8 * format.memory_bytes);
  return word_value(format, Mapping(format).word(number, mask));
}

i32 largest_finite(const WordFormat& format) noexcept {
  const auto top = static_cast<i32>((u32{1} << (format.bits - 1)) - 1);
  if (format.number != NumberClass::floating) return top;
  // E4M3 has no infinities, and NaN only with all bits set; elsewhere the top exponent holds no numbers.
  if (format.bits == 8 && format.exponent_bits == 4) return top - 1;
  return top - static_cast<i32>(u32{1} << format.mantissa_bits);
}

void ValueBound::add(KnownInterval interval) noexcept {
  const i64 least = -1 - i64{largest_};
  if (interval.low > largest_ || interval.high < least) return;
  if (interval.high > largest_ || interval.low < least) {
    if (interval != at_the_end_) at_the_ends_ = std::max(at_the_ends_, of(interval));
    at_the_end_ = interval;
    return;
  }
  if (!any_ || interval.low > top_.low) top_ = interval;
  if (!any_ || interval.high < bottom_.high) bottom_ = interval;
  any_ = true;
}

double ValueBound::of(KnownInterval interval) const noexcept {
  const auto number = [&](i64 at) { return std::clamp<i64>(at, -1 - i64{largest_}, largest_); };
  const auto value = [&](i64 at) { return value_of(static_cast<i32>(number(at)), format_); };
  const double guess = value(float_guess(interval, largest_));
  return std::max(guess - value(interval.low), value(interval.high) - guess);
}

double ValueBound::bound() const noexcept { return std::max(at_the_ends_, any_ ? std::max(of(top_), of(bottom_)) : 0); }

}  // namespace wcodec
