#include "experiments/reference_grid.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/error.hpp"
#include "quantizers/half.hpp"
#include "quantizers/planes.hpp"

namespace wcodec {
namespace {

bool is_f16(const WordFormat& f) noexcept { return f.bits == 16 && f.exponent_bits == 5; }
bool is_bf16(const WordFormat& f) noexcept { return f.bits == 16 && f.exponent_bits == 8; }
bool is_f32(const WordFormat& f) noexcept { return f.bits == 32 && f.exponent_bits == 8; }
bool is_f64(const WordFormat& f) noexcept { return f.bits == 64 && f.exponent_bits == 11; }

bool has_values(const WordFormat& f) noexcept {
  if (f.number != NumberClass::floating) return f.bits <= 64;
  return f.bits <= 8 || is_f16(f) || is_bf16(f) || is_f32(f) || is_f64(f);
}

// The weights of a tensor all of whose words are `word`.
std::vector<float> weights_of(const QuantizedTensor& tensor, const QuantizerChoice& quantizer, u64 word) {
  QuantizedTensor constant{tensor.rows, tensor.cols, tensor.format, {}, tensor.scales};
  constant.words.assign(tensor.weights(), static_cast<u8>(word));
  return quantizer.row->dequantize(constant, quantizer.spec);
}

}  // namespace

WordGrid::WordGrid(const QuantizedTensor& tensor, const QuantizerChoice& quantizer) : format_(tensor.format) {
  if (!has_values(format_)) {
    throw Error(ErrorKind::unsupported,
                "a reference needs words that are numbers: leave this tensor out, or use 'none'");
  }
  if (format_.bits <= 8) {
    for (u64 symbol = 0; symbol < u64{1} << format_.bits; ++symbol) {
      const u64 word = word_of_order_key(format_, symbol);
      const double value = word_value(format_, word);
      if (std::isfinite(value)) table_.push_back({value, word});
    }
    std::stable_sort(table_.begin(), table_.end(), [](const Entry& a, const Entry& b) { return a.value < b.value; });
  }
  if (!quantizer.row->numeric) return;
  if (table_.empty()) throw Error(ErrorKind::internal, "a quantizer whose words have more than 8 bits");
  zero_ = weights_of(tensor, quantizer, nearest_in_table(0));
  one_ = weights_of(tensor, quantizer, nearest_in_table(1));
}

u64 WordGrid::nearest(u64 index, double weight) const noexcept {
  double value = weight;
  if (!zero_.empty()) {
    const double zero = zero_[index];
    value = (weight - zero) / (one_[index] - zero);
  }
  if (std::isnan(value)) value = 0;
  return table_.empty() ? nearest_wide(value) : nearest_in_table(value);
}

u64 WordGrid::nearest_in_table(double value) const noexcept {
  const auto above = std::lower_bound(table_.begin(), table_.end(), value,
                                      [](const Entry& entry, double wanted) { return entry.value < wanted; });
  if (above == table_.begin()) return above->word;
  const auto below = above - 1;
  if (above == table_.end()) return below->word;
  return value - below->value <= above->value - value ? below->word : above->word;
}

u64 WordGrid::nearest_wide(double value) const noexcept {
  if (is_bf16(format_)) return float_to_bf16(static_cast<float>(value));
  if (is_f16(format_)) return float_to_f16(static_cast<float>(value));
  if (is_f32(format_)) return std::bit_cast<u32>(static_cast<float>(value));
  if (is_f64(format_)) return std::bit_cast<u64>(value);
  const bool is_signed = format_.number == NumberClass::signed_int;
  const double limit = std::ldexp(1.0, format_.bits - (is_signed ? 1 : 0));
  const double lowest = is_signed ? -limit : 0;
  const double rounded = std::nearbyint(value);
  const u64 mask = format_.bits == 64 ? ~u64{0} : (u64{1} << format_.bits) - 1;
  // 2^b is a double, 2^b − 1 of 64 bits is none.
  if (rounded >= limit) return is_signed ? mask >> 1 : mask;
  if (rounded <= lowest) return is_signed ? u64{1} << (format_.bits - 1) : 0;
  return (is_signed ? static_cast<u64>(static_cast<i64>(rounded)) : static_cast<u64>(rounded)) & mask;
}

}  // namespace wcodec
