// Words as numbers in the order of their values, centred on 0: what bit planes are cut from. Signed integers are
// themselves, unsigned ones x − 2^(bits−1), floats the place of their bits in IEEE's total order: sign clear, the other
// bits; sign set, −1 − the other bits. A step of 1 is then one unit of an integer, one unit in the last place of a
// float.
#pragma once

#include <vector>

#include "core/tile.hpp"
#include "quantizers/quantized.hpp"
#include "transforms/bitplanes.hpp"

namespace wcodec {

inline constexpr int kMaxOrderedBits = 32;

// Numbers of a tensor's words in coding order; words of at most kMaxOrderedBits bits in 1, 2 or 4 bytes.
std::vector<i32> centred_words(const QuantizedTensor& tensor, const TileGrid& grid);
// Inverse: row-major words as they stand in memory. Numbers are in −2^(bits−1) … 2^(bits−1) − 1.
std::vector<u8> words_of(const std::vector<i32>& numbers, const WordFormat& format, const TileGrid& grid);

// The value of a number, without a scale; NaN for infinities too.
double value_of(i32 number, const WordFormat& format) noexcept;
// The number of the largest finite value; that of the least is −1 − this one for floats.
i32 largest_finite(const WordFormat& format) noexcept;

// The guess at a float in low … high: the middle, unless that is no finite number; then the end nearest to 0.
constexpr i64 float_guess(KnownInterval interval, i32 largest) noexcept {
  const i64 middle = interval.centre();
  if (middle > largest) return interval.low > 0 ? interval.low : 0;
  if (middle < -1 - i64{largest}) return interval.high < -1 ? interval.high : -1;
  return middle;
}

// What guesses are off by in value, as the words' intervals follow one another: the spacing of floats grows away from
// 0, and all intervals have one width, so that the outermost two decide. Elements that are no finite numbers count for
// nothing.
class ValueBound {
 public:
  explicit ValueBound(const WordFormat& format) : format_(format), largest_(largest_finite(format)) {}
  void add(KnownInterval interval) noexcept;
  double bound() const noexcept;

 private:
  double of(KnownInterval interval) const noexcept;
  WordFormat format_;
  i32 largest_;
  bool any_ = false;
  KnownInterval top_{}, bottom_{};  // outermost ones of finite numbers alone
  // Those that reach beyond, where a guess may be no middle: there are few, and the same one comes again and again.
  KnownInterval at_the_end_{};
  double at_the_ends_ = 0;
};

}  // namespace wcodec
