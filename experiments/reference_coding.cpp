#include "experiments/reference_coding.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "core/error.hpp"
#include "experiments/permutation_code.hpp"
#include "experiments/reference_grid.hpp"
#include "experiments/row_matching.hpp"
#include "quantizers/planes.hpp"

namespace wcodec {
namespace {

constexpr bool has_factor(ReferenceFit fit) noexcept {
  return fit == ReferenceFit::scalar || fit == ReferenceFit::affine || fit == ReferenceFit::permuted;
}

// What is said about the prediction in side information.
struct Prediction {
  ReferenceFit fit = ReferenceFit::delta;
  WordFormat format;  // of the words
  float factor = 1, constant = 0;
  std::vector<u32> row_of;  // the reference's row that each row has; empty: its own
};

bool is_folded(ReferenceFit fit, const WordFormat& format) noexcept {
  return fit != ReferenceFit::exclusive_or && format.bits > 8;
}

WordFormat residual_format(const Prediction& prediction) noexcept {
  const WordFormat& format = prediction.format;
  if (!is_folded(prediction.fit, format)) return format;
  return {format.bits, format.memory_bytes, NumberClass::unsigned_int, 0, 0};
}

void write_side(const Prediction& prediction, LedgerWriter& out) {
  out.write(LedgerEntry::param, static_cast<u8>(prediction.fit));
  if (is_folded(prediction.fit, prediction.format)) {
    out.write(LedgerEntry::param, static_cast<u8>(prediction.format.number));
    out.write(LedgerEntry::param, static_cast<u8>(prediction.format.exponent_bits));
  }
  if (has_factor(prediction.fit)) out.write(LedgerEntry::param, prediction.factor);
  if (prediction.fit == ReferenceFit::affine) out.write(LedgerEntry::param, prediction.constant);
  if (prediction.fit == ReferenceFit::permuted) write_permutation(prediction.row_of, out);
}

WordFormat read_format(ByteReader& in, const WordFormat& residual) {
  WordFormat format{residual.bits, residual.memory_bytes, NumberClass::unsigned_int, 0, 0};
  const u8 number = in.read<u8>("number class of words"), exponent_bits = in.read<u8>("exponent bits of words");
  const bool is_floating = number == static_cast<u8>(NumberClass::floating);
  if (number > static_cast<u8>(NumberClass::floating) || (exponent_bits != 0) != is_floating ||
      exponent_bits >= residual.bits) {
    throw Error(ErrorKind::corrupt, "side information of a reference: words of no known format");
  }
  format.number = static_cast<NumberClass>(number);
  if (is_floating) {
    format.exponent_bits = exponent_bits;
    format.mantissa_bits = residual.bits - 1 - exponent_bits;
  }
  return format;
}

Prediction read_side(ByteReader& in, const QuantizedTensor& residual) {
  Prediction prediction;
  const u8 fit = in.read<u8>("fit of a reference");
  if (fit > static_cast<u8>(ReferenceFit::permuted)) {
    throw Error(ErrorKind::corrupt, "side information of a reference: fit " + std::to_string(fit) + " is not known");
  }
  prediction.fit = static_cast<ReferenceFit>(fit);
  prediction.format = residual.format;
  if (is_folded(prediction.fit, residual.format)) prediction.format = read_format(in, residual.format);
  if (has_factor(prediction.fit)) prediction.factor = in.read<float>("factor of a reference");
  if (prediction.fit == ReferenceFit::affine) prediction.constant = in.read<float>("constant of a reference");
  if (prediction.fit == ReferenceFit::permuted) {
    if (residual.rows > kMaxPermutedRows) throw Error(ErrorKind::corrupt, "a permutation of too many rows");
    prediction.row_of = read_permutation(in, static_cast<u64>(residual.rows));
  }
  return prediction;
}

// Least squares over the pairs that are numbers.
void fit_line(const std::vector<float>& weights, const ReferenceTensor& reference, i64 cols, Prediction& prediction) {
  double n = 0, x = 0, y = 0, xx = 0, xy = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    std::size_t from = i;
    if (!prediction.row_of.empty()) {
      const std::size_t row = i / static_cast<std::size_t>(cols);
      from = prediction.row_of[row] * static_cast<std::size_t>(cols) + (i - row * static_cast<std::size_t>(cols));
    }
    const double a = reference.weights[from], b = weights[i];
    if (!std::isfinite(a) || !std::isfinite(b)) continue;
    n += 1;
    x += a;
    y += b;
    xx += a * a;
    xy += a * b;
  }
  const bool is_affine = prediction.fit == ReferenceFit::affine;
  const double square = is_affine ? xx - x * x / n : xx, product = is_affine ? xy - x * y / n : xy;
  const double factor = square > 0 ? product / square : 0;
  prediction.factor = std::isfinite(factor) ? static_cast<float>(factor) : 0;
  if (is_affine && n > 0) {
    const double constant = (y - double{prediction.factor} * x) / n;
    prediction.constant = std::isfinite(constant) ? static_cast<float>(constant) : 0;
  }
}

// The predicted words of a tensor whose shape, format and scales are those of `tensor`, as order keys or, for `xor`, as
// words.
class Predictor {
 public:
  Predictor(const QuantizedTensor& tensor, const QuantizerChoice& quantizer, const ReferenceTensor& reference,
            const Prediction& prediction)
      : grid_(tensor, quantizer), reference_(reference), prediction_(prediction), cols_(tensor.cols) {
    // Words of one type that nothing was done to predict each other as they are, NaN and all.
    is_copy_ = !quantizer.row->numeric && !has_factor(prediction.fit) && reference.words.format == tensor.format;
  }

  u64 word(i64 row, i64 col) const noexcept {
    const u64 index = static_cast<u64>(row * cols_ + col);
    if (is_copy_) return load_word(prediction_.format, reference_.words.words.data(), index);
    const u64 from = prediction_.row_of.empty() ? index
                                                : static_cast<u64>(prediction_.row_of[static_cast<std::size_t>(row)]) *
                                                          static_cast<u64>(cols_) +
                                                      static_cast<u64>(col);
    return grid_.nearest(index,
                         double{prediction_.factor} * double{reference_.weights[from]} + double{prediction_.constant});
  }

 private:
  WordGrid grid_;
  const ReferenceTensor& reference_;
  const Prediction& prediction_;
  i64 cols_;
  bool is_copy_;
};

u64 mask_of(const WordFormat& format) noexcept { return format.bits == 64 ? ~u64{0} : (u64{1} << format.bits) - 1; }

// The symbol that stands for no difference, in formats of one plane.
u64 zero_key(const WordFormat& format) noexcept {
  return format.number == NumberClass::unsigned_int ? 0 : u64{1} << (format.bits - 1);
}

u64 fold(u64 difference, u64 mask) noexcept {
  const u64 sign = difference > mask >> 1 ? mask : 0;
  return ((difference << 1) ^ sign) & mask;
}
u64 unfold(u64 folded, u64 mask) noexcept { return (folded >> 1) ^ ((folded & 1) != 0 ? mask : 0); }

// A word's own spelling in memory: narrow signed words are sign-extended.
u64 spelled(const WordFormat& format, u64 word) noexcept {
  return format.bits <= 8 ? word_of_order_key(format, order_key(format, word)) : word;
}

u64 residual_of(const Prediction& p, u64 word, u64 guess) noexcept {
  const u64 mask = mask_of(p.format);
  if (p.fit == ReferenceFit::exclusive_or) return spelled(p.format, (word ^ guess) & mask);
  const u64 difference = (order_key(p.format, word) - order_key(p.format, guess)) & mask;
  if (is_folded(p.fit, p.format)) return fold(difference, mask);
  return word_of_order_key(p.format, (difference + zero_key(p.format)) & mask);
}

u64 word_of(const Prediction& p, u64 residual, u64 guess) noexcept {
  const u64 mask = mask_of(p.format);
  if (p.fit == ReferenceFit::exclusive_or) return spelled(p.format, (residual ^ guess) & mask);
  const u64 difference =
      is_folded(p.fit, p.format) ? unfold(residual, mask) : order_key(p.format, residual) - zero_key(p.format);
  return word_of_order_key(p.format, (order_key(p.format, guess) + difference) & mask);
}

// `change` of each word of `from` and its prediction, in `format`.
template <class Change>
QuantizedTensor changed(const QuantizedTensor& from, const WordFormat& format, const Predictor& predictor,
                        const Change& change) {
  QuantizedTensor out{from.rows, from.cols, format, std::vector<u8>(from.words.size()), from.scales};
  const auto width = static_cast<std::size_t>(format.memory_bytes);
  u64 index = 0;
  for (i64 row = 0; row < from.rows; ++row) {
    for (i64 col = 0; col < from.cols; ++col, ++index) {
      const u64 word = change(load_word(from.format, from.words.data(), index), predictor.word(row, col));
      std::memcpy(out.words.data() + index * width, &word, width);
    }
  }
  return out;
}

void check_shape(const QuantizedTensor& tensor, const ReferenceTensor& reference) {
  if (tensor.rows == reference.words.rows && tensor.cols == reference.words.cols) return;
  throw Error(ErrorKind::unsupported, "a tensor of " + std::to_string(tensor.rows) + "x" + std::to_string(tensor.cols) +
                                          " has a reference of " + std::to_string(reference.words.rows) + "x" +
                                          std::to_string(reference.words.cols));
}

}  // namespace

ReferenceTensor make_reference(QuantizedTensor words, const QuantizerChoice& quantizer) {
  std::vector<float> weights = quantizer.row->dequantize(words, quantizer.spec);
  return {std::move(words), std::move(weights)};
}

QuantizedTensor subtract_reference(const QuantizedTensor& tensor, const QuantizerChoice& quantizer,
                                   const ReferenceTensor& reference, ReferenceFit fit, LedgerWriter& out) {
  check_shape(tensor, reference);
  Prediction prediction;
  prediction.fit = fit;
  prediction.format = tensor.format;
  if (has_factor(fit)) {
    const std::vector<float> weights = quantizer.row->dequantize(tensor, quantizer.spec);
    if (fit == ReferenceFit::permuted) {
      if (tensor.rows > kMaxPermutedRows) {
        throw Error(ErrorKind::unsupported, "fit 'permuted' matches at most " + std::to_string(kMaxPermutedRows) +
                                                " rows of a tensor; use 'scalar' for this one");
      }
      prediction.row_of = match_rows(weights, reference.weights, tensor.rows, tensor.cols);
    }
    fit_line(weights, reference, tensor.cols, prediction);
  }
  const Predictor predictor(tensor, quantizer, reference, prediction);
  write_side(prediction, out);
  return changed(tensor, residual_format(prediction), predictor,
                 [&](u64 word, u64 guess) { return residual_of(prediction, word, guess); });
}

QuantizedTensor add_reference(const QuantizedTensor& residual, const QuantizerChoice& quantizer,
                              const ReferenceTensor& reference, ByteReader& in) {
  check_shape(residual, reference);
  const Prediction prediction = read_side(in, residual);
  QuantizedTensor shape{residual.rows, residual.cols, prediction.format, {}, residual.scales};
  const Predictor predictor(shape, quantizer, reference, prediction);
  return changed(residual, prediction.format, predictor,
                 [&](u64 word, u64 guess) { return word_of(prediction, word, guess); });
}

}  // namespace wcodec
