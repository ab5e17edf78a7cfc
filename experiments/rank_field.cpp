#include "experiments/rank_field.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.hpp"
#include "core/random_stream.hpp"

namespace wcodec {
namespace {

using Matrix = std::vector<double>;

// Explicit bits of a float's mantissa; of types of ours whose spacing is not a power of two apart: none.
int mantissa_bits(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return 52;
    case DType::f32:
      return 23;
    case DType::f16:
      return 10;
    case DType::bf16:
      return 7;
    case DType::f8_e4m3:
      return 3;
    case DType::f8_e5m2:
      return 2;
    default:
      return -1;
  }
}

double sum_of_row(const Matrix& m, i64 cols, i64 row, bool squared) {
  double sum = 0;
  for (i64 c = 0; c < cols; ++c) {
    const double x = m[static_cast<std::size_t>(row * cols + c)];
    sum += squared ? x * x : x;
  }
  return sum;
}

std::vector<double> sums_of_columns(const Matrix& m, i64 rows, i64 cols, bool squared) {
  std::vector<double> sums(static_cast<std::size_t>(cols));
  for (i64 r = 0; r < rows; ++r) {
    for (i64 c = 0; c < cols; ++c) {
      const double x = m[static_cast<std::size_t>(r * cols + c)];
      sums[static_cast<std::size_t>(c)] += squared ? x * x : x;
    }
  }
  return sums;
}

void subtract_means(Matrix& m, i64 rows, i64 cols) {
  for (i64 r = 0; r < rows; ++r) {
    const double mean = sum_of_row(m, cols, r, false) / static_cast<double>(cols);
    for (i64 c = 0; c < cols; ++c) m[static_cast<std::size_t>(r * cols + c)] -= mean;
  }
  const std::vector<double> sums = sums_of_columns(m, rows, cols, false);
  for (i64 r = 0; r < rows; ++r) {
    for (i64 c = 0; c < cols; ++c) {
      m[static_cast<std::size_t>(r * cols + c)] -= sums[static_cast<std::size_t>(c)] / static_cast<double>(rows);
    }
  }
}

// Class of each line by the quantile of its scale; equal scales in order of position.
std::vector<u8> classes_of(const std::vector<double>& scales) {
  std::vector<std::size_t> order(scales.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scales[a] < scales[b]; });
  std::vector<u8> classes(scales.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    classes[order[i]] = static_cast<u8>(i * kScaleClasses / order.size());
  }
  return classes;
}

}  // namespace

void dither(DType dtype, std::span<double> values, u64 seed, const std::string& tensor_hash) {
  const int bits = mantissa_bits(dtype);
  const bool is_float = info(dtype).number == NumberClass::floating;
  if (is_float && bits < 0) {
    throw Error(ErrorKind::unsupported, "floats of this type have no spacing to dither by; quantize or convert first");
  }
  double smallest = 0;
  for (const double value : values) {
    const double magnitude = std::abs(value);
    if (magnitude > 0 && (smallest == 0 || magnitude < smallest)) smallest = magnitude;
  }
  Philox random = random_stream(seed, tensor_hash + ":dither");
  for (double& value : values) {
    double spacing = 1;
    if (is_float) {
      int exponent = 0;
      std::frexp(value == 0 ? smallest : value, &exponent);  // value = m · 2^exponent, m in [½, 1)
      spacing = value == 0 ? smallest : std::ldexp(1.0, exponent - 1 - bits);
    }
    value += spacing * (random.uniform() - 0.5);
  }
}

RankField rank_field(std::span<const double> values, i64 rows, i64 cols, bool without_means) {
  const auto n = static_cast<std::size_t>(rows * cols);
  if (rows < 1 || cols < 1 || values.size() != n ||
      !std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); })) {
    throw Error(ErrorKind::internal, "a field of ranks needs rows x cols finite values");
  }
  Matrix m(values.begin(), values.end());
  if (without_means) subtract_means(m, rows, cols);
  std::vector<double> row_scales(static_cast<std::size_t>(rows));
  for (i64 r = 0; r < rows; ++r) {
    const double scale = std::sqrt(sum_of_row(m, cols, r, true) / static_cast<double>(cols));
    row_scales[static_cast<std::size_t>(r)] = scale;
    if (scale == 0) continue;
    for (i64 c = 0; c < cols; ++c) m[static_cast<std::size_t>(r * cols + c)] /= scale;
  }
  std::vector<double> col_scales = sums_of_columns(m, rows, cols, true);
  for (double& scale : col_scales) scale = std::sqrt(scale / static_cast<double>(rows));

  RankField field{rows, cols, std::vector<u8>(n), std::vector<u8>(n)};
  const std::vector<u8> row_class = classes_of(row_scales), col_class = classes_of(col_scales);
  std::vector<std::vector<std::size_t>> members(kScaleClasses * kScaleClasses);
  for (i64 r = 0; r < rows; ++r) {
    for (i64 c = 0; c < cols; ++c) {
      const auto i = static_cast<std::size_t>(r * cols + c);
      const double scale = col_scales[static_cast<std::size_t>(c)];
      if (scale > 0) m[i] /= scale;
      field.classes[i] = static_cast<u8>(row_class[static_cast<std::size_t>(r)] * kScaleClasses +
                                         col_class[static_cast<std::size_t>(c)]);
      members[field.classes[i]].push_back(i);
    }
  }
  for (std::vector<std::size_t>& in_class : members) {
    std::stable_sort(in_class.begin(), in_class.end(), [&](std::size_t a, std::size_t b) { return m[a] < m[b]; });
    for (std::size_t k = 0; k < in_class.size(); ++k) {
      field.levels[in_class[k]] = static_cast<u8>(k * 256 / in_class.size());
    }
  }
  return field;
}

}  // namespace wcodec
