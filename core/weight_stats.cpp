#include "core/weight_stats.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/element_values.hpp"
#include "core/philox.hpp"
#include "core/portable_math.hpp"

namespace wcodec {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr u64 kWindowBytes = u64{1} << 20;

// Calls `visit(row number, bytes)` for each row in turn.
template <class Visit>
void for_each_row(const Checkpoint& checkpoint, std::size_t index, Visit visit) {
  const TensorInfo& tensor = checkpoint.tensors()[index];
  if (tensor.weights() == 0) return;
  const u64 row_bytes = static_cast<u64>(tensor.cols) * static_cast<u64>(info(tensor.dtype).memory_bytes);
  const i64 window_rows = static_cast<i64>(std::max<u64>(1, kWindowBytes / row_bytes));
  std::vector<u8> window;
  for (i64 first = 0; first < tensor.rows; first += window_rows) {
    const i64 rows = std::min(window_rows, tensor.rows - first);
    window.resize(static_cast<std::size_t>(rows) * row_bytes);
    checkpoint.read_rows(index, first, rows, window);
    for (i64 r = 0; r < rows; ++r) visit(first + r, Bytes(window).subspan(static_cast<u64>(r) * row_bytes, row_bytes));
  }
}

double entropy(std::span<const u64> counts) {
  u64 total = 0;
  for (const u64 count : counts) total += count;
  if (total == 0) return kNan;
  double bits = 0;
  for (const u64 count : counts) {
    if (count != 0)
      bits -= static_cast<double>(count) * portable_log2(static_cast<double>(count) / static_cast<double>(total));
  }
  return bits / static_cast<double>(total);
}

// Entropies of a byte string: of a byte, and of a byte given the one before it.
class ByteEntropy {
 public:
  ByteEntropy() : pairs_(65536) {}
  void start() noexcept { previous_ = -1; }
  void add(u8 byte) noexcept {
    ++singles_[byte];
    if (previous_ >= 0) ++pairs_[static_cast<std::size_t>(previous_) * 256 + byte];
    previous_ = byte;
  }
  double order0() const { return entropy(singles_); }
  // H(pair) − H(first of a pair).
  double order1() const {
    std::array<u64, 256> firsts{};
    for (std::size_t i = 0; i < pairs_.size(); ++i) firsts[i / 256] += pairs_[i];
    return std::max(0.0, entropy(pairs_) - entropy(firsts));
  }

  // order1 of the same bytes in random order. Above 64 M bytes chance is worth less than 0.001 bit, and nothing is
  // drawn.
  double order1_by_chance() const {
    constexpr u64 kMostDrawn = u64{1} << 26;
    u64 total = 0;
    for (const u64 count : singles_) total += count;
    if (total > kMostDrawn) return order0();
    std::vector<u8> bytes;
    bytes.reserve(total);
    for (std::size_t value = 0; value < 256; ++value)
      bytes.insert(bytes.end(), singles_[value], static_cast<u8>(value));
    Philox random(0, 0);
    ByteEntropy shuffled;
    for (u64 left = total; left > 0; --left) {
      const u64 pick = random.below64(left);
      shuffled.add(bytes[pick]);
      bytes[pick] = bytes[left - 1];
    }
    return shuffled.order1();
  }

 private:
  std::array<u64, 256> singles_{};
  std::vector<u64> pairs_;
  int previous_ = -1;
};

// Standard deviation of log2 of the scales that are positive and finite.
double spread(std::span<const double> scales) {
  double sum = 0, squares = 0, count = 0;
  for (const double scale : scales) {
    if (!std::isnormal(scale)) continue;
    const double log = portable_log2(scale);
    sum += log;
    squares += log * log;
    ++count;
  }
  if (count == 0) return kNan;
  const double mean = sum / count;
  return std::sqrt(std::max(0.0, squares / count - mean * mean));
}

class Collector {
 public:
  Collector(const Checkpoint& checkpoint, std::size_t index)
      : checkpoint_(checkpoint), index_(index), tensor_(checkpoint.tensors().at(index)) {
    if (tensor_.weights() == 0) return;
    cols_ = static_cast<std::size_t>(tensor_.cols);
    numeric_ = has_element_values(tensor_.dtype);
    if (!numeric_) return;
    row_.resize(cols_);
    above_.resize(cols_);
    row_rms_.resize(static_cast<std::size_t>(tensor_.rows));
    col_squares_.resize(cols_);
    col_scaled_squares_.resize(cols_);
    col_counts_.resize(cols_);
  }

  WeightStats run() {
    stats_.name = tensor_.name;
    stats_.kind = tensor_.kind;
    stats_.source_type = tensor_.source_type;
    stats_.dtype = tensor_.dtype;
    stats_.shape = tensor_.shape;
    stats_.rows = tensor_.rows;
    stats_.cols = tensor_.cols;
    stats_.weights = tensor_.weights();
    stats_.source_bytes = tensor_.source_bytes;
    for_each_row(checkpoint_, index_, [&](i64 row, Bytes bytes) {
      for (const u8 byte : bytes) bytes_.add(byte);
      if (numeric_) first_pass(static_cast<std::size_t>(row), bytes);
    });
    stats_.byte_entropy = bytes_.order0();
    stats_.byte_entropy_given_previous = bytes_.order1();
    stats_.int8_entropy = codes_.order0();
    stats_.int8_entropy_given_left = codes_.order1();
    stats_.int8_entropy_given_left_by_chance = codes_.order1_by_chance();
    stats_.sparsity =
        stats_.weights == 0 ? kNan : static_cast<double>(stats_.zeros) / static_cast<double>(stats_.weights);
    finish_scales();
    if (numeric_) {
      for_each_row(checkpoint_, index_,
                   [&](i64 row, Bytes bytes) { second_pass(static_cast<std::size_t>(row), bytes); });
    }
    finish_moments();
    return std::move(stats_);
  }

 private:
  // Counts, range, sums, scales, codes. Rows are summed apart, which keeps rounding small in long tensors.
  void first_pass(std::size_t row, Bytes bytes) {
    element_values(tensor_.dtype, bytes, row_);
    double sum = 0, squares = 0, largest = 0, count = 0;
    for (const double x : row_) {
      if (!std::isfinite(x)) {
        ++(std::isnan(x) ? stats_.nans : stats_.infinities);
        continue;
      }
      stats_.zeros += x == 0;
      min_ = std::min(min_, x);
      max_ = std::max(max_, x);
      largest = std::max(largest, std::abs(x));
      sum += x;
      squares += x * x;
      ++count;
    }
    sum_ += sum;
    count_ += count;
    const double rms = count == 0 ? 0 : std::sqrt(squares / count);
    row_rms_[row] = rms;
    for (std::size_t col = 0; col < cols_; ++col) {
      const double x = row_[col];
      if (!std::isfinite(x)) continue;
      col_squares_[col] += x * x;
      if (rms > 0) col_scaled_squares_[col] += (x / rms) * (x / rms);
      ++col_counts_[col];
    }
    add_codes(bytes, largest);
  }

  void add_codes(Bytes bytes, double largest) {
    codes_.start();
    if (info(tensor_.dtype).number != NumberClass::floating && bytes.size() == cols_) {
      for (const u8 byte : bytes) codes_.add(byte);
      return;
    }
    // In single precision, as quantizers do it.
    constexpr double kMost = std::numeric_limits<float>::max();
    const float exact = static_cast<float>(std::min(largest, kMost)) / 127.0f;
    const float scale = exact > 0 ? exact : 1.0f;
    for (const double x : row_) {
      const float value = std::isnan(x) ? 0.0f : static_cast<float>(std::clamp(x, -kMost, kMost));
      codes_.add(static_cast<u8>(static_cast<i8>(std::clamp(std::nearbyint(value / scale), -127.0f, 127.0f))));
    }
  }

  void finish_scales() {
    if (count_ == 0) {
      stats_.row_scale_spread = stats_.col_scale_spread = kNan;
      return;
    }
    mean_ = sum_ / count_;
    std::vector<double> rms(cols_);
    for (std::size_t col = 0; col < cols_; ++col)
      rms[col] = std::sqrt(col_squares_[col] / std::max(col_counts_[col], 1.0));
    stats_.row_scale_spread = spread(row_rms_);
    stats_.col_scale_spread = spread(rms);
    // From here on: the scale that is left in a column once the rows are divided by theirs.
    for (std::size_t col = 0; col < cols_; ++col) {
      col_scaled_squares_[col] = std::sqrt(col_scaled_squares_[col] / std::max(col_counts_[col], 1.0));
    }
  }

  // Deviations from the mean, their products, and powers of the scaled weights.
  void second_pass(std::size_t row, Bytes bytes) {
    element_values(tensor_.dtype, bytes, row_);
    double squares = 0, fourths = 0;
    std::array<double, 5> scaled{};
    for (std::size_t col = 0; col < cols_; ++col) {
      const double x = row_[col];
      if (!std::isfinite(x)) continue;
      const double d2 = (x - mean_) * (x - mean_);
      squares += d2;
      fourths += d2 * d2;
      if (row_rms_[row] > 0 && col_scaled_squares_[col] > 0) {
        const double y = x / row_rms_[row] / col_scaled_squares_[col];
        const double powers[5] = {1, y, y * y, y * y * y, y * y * y * y};
        for (int p = 0; p < 5; ++p) scaled[p] += powers[p];
      }
    }
    squares_ += squares;
    fourths_ += fourths;
    for (int p = 0; p < 5; ++p) scaled_[p] += scaled[p];
    for (std::size_t col = 1; col < cols_; ++col) left_.add(row_[col] - mean_, row_[col - 1] - mean_);
    if (row > 0) {
      for (std::size_t col = 0; col < cols_; ++col) top_.add(row_[col] - mean_, above_[col] - mean_);
    }
    row_.swap(above_);
  }

  void finish_moments() {
    if (count_ == 0) {
      stats_.min = stats_.max = stats_.mean = stats_.stddev = stats_.kurtosis = kNan;
      stats_.scaled_kurtosis = stats_.left_correlation = stats_.top_correlation = kNan;
      return;
    }
    const double variance = squares_ / count_;
    stats_.min = min_;
    stats_.max = max_;
    stats_.mean = mean_;
    stats_.stddev = std::sqrt(variance);
    stats_.kurtosis = variance > 0 ? fourths_ / count_ / (variance * variance) : kNan;
    stats_.left_correlation = left_.mean() / variance;  // 0 ÷ 0 for a constant, which is the NaN that it should be
    stats_.top_correlation = top_.mean() / variance;
    stats_.scaled_kurtosis = scaled_kurtosis();
  }

  // Central moments from raw ones: the scaled weights are around 1, so nothing cancels that matters.
  double scaled_kurtosis() const {
    const double n = scaled_[0], m = scaled_[1] / n, m2 = scaled_[2] / n, m3 = scaled_[3] / n, m4 = scaled_[4] / n;
    const double variance = m2 - m * m;
    if (!(variance > 1e-12)) return kNan;
    return (m4 - 4 * m * m3 + 6 * m * m * m2 - 3 * m * m * m * m) / (variance * variance);
  }

  struct Products {
    double sum = 0, count = 0;
    void add(double a, double b) noexcept {
      if (!std::isfinite(a) || !std::isfinite(b)) return;
      sum += a * b;
      ++count;
    }
    double mean() const noexcept { return count == 0 ? kNan : sum / count; }
  };

  const Checkpoint& checkpoint_;
  const std::size_t index_;
  const TensorInfo& tensor_;
  std::size_t cols_ = 0;
  bool numeric_ = false;
  WeightStats stats_;
  ByteEntropy bytes_, codes_;
  std::vector<double> row_, above_, row_rms_, col_squares_, col_scaled_squares_, col_counts_;
  double min_ = std::numeric_limits<double>::infinity(), max_ = -min_;
  double sum_ = 0, count_ = 0, mean_ = 0, squares_ = 0, fourths_ = 0;
  std::array<double, 5> scaled_{};
  Products left_, top_;
};

}  // namespace

WeightStats weight_stats(const Checkpoint& checkpoint, std::size_t index) { return Collector(checkpoint, index).run(); }

std::string to_json(const WeightStats& stats) {
  nlohmann::ordered_json json = {{"name", stats.name},
                                 {"kind", stats.kind},
                                 {"dtype", info(stats.dtype).name},
                                 {"source_type", stats.source_type},
                                 {"shape", stats.shape},
                                 {"rows", stats.rows},
                                 {"cols", stats.cols},
                                 {"weights", stats.weights},
                                 {"source_bytes", stats.source_bytes},
                                 {"zeros", stats.zeros},
                                 {"nans", stats.nans},
                                 {"infinities", stats.infinities},
                                 {"sparsity", stats.sparsity},
                                 {"min", stats.min},
                                 {"max", stats.max},
                                 {"mean", stats.mean},
                                 {"stddev", stats.stddev},
                                 {"kurtosis", stats.kurtosis},
                                 {"row_scale_spread", stats.row_scale_spread},
                                 {"col_scale_spread", stats.col_scale_spread},
                                 {"scaled_kurtosis", stats.scaled_kurtosis},
                                 {"left_correlation", stats.left_correlation},
                                 {"top_correlation", stats.top_correlation},
                                 {"int8_entropy", stats.int8_entropy},
                                 {"int8_entropy_given_left", stats.int8_entropy_given_left},
                                 {"int8_entropy_given_left_by_chance", stats.int8_entropy_given_left_by_chance},
                                 {"byte_entropy", stats.byte_entropy},
                                 {"byte_entropy_given_previous", stats.byte_entropy_given_previous}};
  // A name from a GGUF file need not be UTF-8.
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace wcodec
