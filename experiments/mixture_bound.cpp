#include "experiments/mixture_bound.hpp"

#include <cmath>
#include <map>
#include <mutex>
#include <vector>

#include "core/portable_math.hpp"
#include "experiments/matrix_scales.hpp"
#include "quantizers/planes.hpp"

namespace wcodec {
namespace {

constexpr double kLog2E = 1.44269504088896340735992468100;

// log2 Σ_j exp(−j²/2σ²) over the alphabet, tabulated over log2 σ in steps of 1/64 and interpolated (error below 1e-4
// bit).
class DiscreteGaussian {
 public:
  explicit DiscreteGaussian(int bits) {
    const int low = -(1 << (bits - 1)), high = (1 << (bits - 1)) - 1;
    for (int i = 0; i <= kSteps; ++i) {
      const double sigma = portable_exp((kLowest + i / kPerOctave) / kLog2E);
      double sum = 0;
      for (int j = low; j <= high; ++j) {
        const double exponent = -0.5 * j * j / (sigma * sigma);
        if (exponent > -700) sum += portable_exp(exponent);
      }
      table_.push_back(portable_log2(sum));
    }
  }
  double log2_normalizer(double log2_sigma) const noexcept {
    const double position = std::min(std::max((log2_sigma - kLowest) * kPerOctave, 0.0), kSteps - 1e-9);
    const auto index = static_cast<std::size_t>(position);
    const double between = position - static_cast<double>(index);
    return table_[index] + between * (table_[index + 1] - table_[index]);
  }

 private:
  static constexpr double kLowest = -8, kPerOctave = 64;
  static constexpr int kSteps = 24 * 64;
  std::vector<double> table_;
};

// One table an alphabet, made when first asked for: it takes longer than the bound of a small tensor.
const DiscreteGaussian& discrete_gaussian(int bits) {
  static std::mutex mutex;
  static std::map<int, DiscreteGaussian> tables;
  const std::lock_guard lock(mutex);
  return tables.try_emplace(bits, bits).first->second;
}

}  // namespace

double mixture_bound_bpw(const QuantizedTensor& tensor) {
  const WordFormat& f = tensor.format;
  const bool integers = f.number == NumberClass::signed_int && f.bits <= 8;
  const bool floats = f.number == NumberClass::floating && f.bits <= 32;
  if ((!integers && !floats) || tensor.weights() == 0) return std::nan("");
  const MatrixScales scales = matrix_scales(tensor);
  const std::vector<float> values = word_values(tensor);
  std::vector<double> column_log(scales.columns.size());
  const auto log2_of = [](double x) { return x > 0 ? portable_log2(x) : 0.0; };
  for (std::size_t c = 0; c < column_log.size(); ++c) column_log[c] = log2_of(scales.columns[c]);
  const DiscreteGaussian& gaussian = discrete_gaussian(integers ? f.bits : 1);
  // Exponent of the spacing at x: that of x's binade, less the mantissa bits; subnormals share the lowest.
  const int lowest = floats ? 2 - (1 << (f.exponent_bits - 1)) : 0;
  const double half_log_2pi = 0.5 * portable_log2(6.28318530717958647692);
  double bits = 0;
  for (std::size_t r = 0; r < scales.rows.size(); ++r) {
    if (scales.rows[r] == 0) continue;  // nothing but zeros, known to be
    const double row_log = portable_log2(scales.rows[r]), row_square = scales.rows[r] * scales.rows[r];
    for (std::size_t c = 0; c < scales.columns.size(); ++c) {
      if (scales.columns[c] == 0) continue;
      const double x = static_cast<double>(values[r * scales.columns.size() + c]);
      const double variance = row_square * scales.columns[c] * scales.columns[c];
      const double log_sigma = row_log + column_log[c];
      bits += 0.5 * kLog2E * x * x / variance;
      if (integers) {
        bits += gaussian.log2_normalizer(log_sigma);
      } else {
        const int exponent = x == 0 ? lowest : std::max(std::ilogb(x), lowest);
        bits += log_sigma + half_log_2pi - (exponent - f.mantissa_bits);
      }
    }
  }
  return bits / static_cast<double>(tensor.weights());
}

}  // namespace wcodec
