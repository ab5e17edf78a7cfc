#include "experiments/low_rank.hpp"

#include <fmt/format.h>

#include <Eigen/Core>
#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "entropy/side_stream.hpp"

namespace wcodec {
namespace {

constexpr int kMaxRank = 8;
// Subspace iteration (Halko, Martinsson and Tropp, "Finding structure with randomness", SIAM Review 2011): so many
// directions more than asked for, and so many passes over the matrix and its transpose.
constexpr int kSpare = 4, kPasses = 5;
constexpr int kScaleBits = 24;  // of the fraction of a component's scale

constexpr OptionInfo kOptions[] = {{"rank", "4", "1…8", "components; each costs a byte a row and a byte a column"}};

void check(const OptionReader& options) { options.integer("rank", 1, kMaxRank); }

// `count` vectors side by side, element by element. Sums run in one order, so that every machine finds the same.
struct Frame {
  std::size_t length, count;
  std::vector<double> values;
  Frame(std::size_t n, std::size_t p) : length(n), count(p), values(n * p) {}
  double* row(std::size_t i) noexcept { return values.data() + i * count; }
  const double* row(std::size_t i) const noexcept { return values.data() + i * count; }
};

// A · v
Frame times(const SymbolMatrix& a, const Frame& v) {
  Frame out(static_cast<std::size_t>(a.rows), v.count);
  for (std::size_t r = 0; r < out.length; ++r) {
    double* const sums = out.row(r);
    for (std::size_t c = 0; c < v.length; ++c) {
      const double x = a.value(r * v.length + c);
      const double* const at = v.row(c);
      for (std::size_t k = 0; k < v.count; ++k) sums[k] += x * at[k];
    }
  }
  return out;
}

// Aᵀ · u
Frame transposed_times(const SymbolMatrix& a, const Frame& u) {
  Frame out(static_cast<std::size_t>(a.cols), u.count);
  for (std::size_t r = 0; r < u.length; ++r) {
    const double* const at = u.row(r);
    for (std::size_t c = 0; c < out.length; ++c) {
      const double x = a.value(r * out.length + c);
      double* const sums = out.row(c);
      for (std::size_t k = 0; k < u.count; ++k) sums[k] += x * at[k];
    }
  }
  return out;
}

double dot(const Frame& v, std::size_t a, std::size_t b) {
  double sum = 0;
  for (std::size_t i = 0; i < v.length; ++i) sum += v.row(i)[a] * v.row(i)[b];
  return sum;
}

// Gram and Schmidt, twice, which is enough. What the others span already becomes zero.
void orthonormalise(Frame& v) {
  for (std::size_t k = 0; k < v.count; ++k) {
    const double before = std::sqrt(dot(v, k, k));
    for (int pass = 0; pass < 2; ++pass) {
      for (std::size_t j = 0; j < k; ++j) {
        const double share = dot(v, k, j);
        for (std::size_t i = 0; i < v.length; ++i) v.row(i)[k] -= share * v.row(i)[j];
      }
    }
    const double norm = std::sqrt(dot(v, k, k));
    const double inverse = norm > 1e-10 * before ? 1 / norm : 0;
    for (std::size_t i = 0; i < v.length; ++i) v.row(i)[k] *= inverse;
  }
}

Frame combined(const Frame& v, const Eigen::MatrixXd& weights) {
  Frame out(v.length, static_cast<std::size_t>(weights.cols()));
  for (std::size_t i = 0; i < v.length; ++i) {
    for (std::size_t k = 0; k < out.count; ++k) {
      for (std::size_t j = 0; j < v.count; ++j)
        out.row(i)[k] += v.row(i)[j] * weights(static_cast<Eigen::Index>(j), static_cast<Eigen::Index>(k));
    }
  }
  return out;
}

// a ≈ left · rightᵀ
struct Factors {
  Frame left, right;
};
Factors best_factors(const SymbolMatrix& a, std::size_t rank) {
  const auto rows = static_cast<std::size_t>(a.rows), cols = static_cast<std::size_t>(a.cols);
  Frame right(cols, std::min({rank + kSpare, rows, cols}));
  Philox random(0, 0);
  for (double& value : right.values) value = random.normal();
  orthonormalise(right);
  for (int pass = 0; pass < kPasses; ++pass) {
    Frame left = times(a, right);
    orthonormalise(left);
    right = transposed_times(a, left);
    orthonormalise(right);
  }
  const Frame image = times(a, right);
  const auto count = static_cast<Eigen::Index>(right.count);
  Eigen::MatrixXd gram(count, count);
  for (Eigen::Index i = 0; i < count; ++i) {
    for (Eigen::Index j = 0; j <= i; ++j)
      gram(i, j) = gram(j, i) = dot(image, static_cast<std::size_t>(i), static_cast<std::size_t>(j));
  }
  // Eigenvalues rise: the last columns are the strongest directions.
  const Eigen::MatrixXd vectors =
      Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(gram).eigenvectors().rightCols(static_cast<Eigen::Index>(rank));
  return {combined(image, vectors), combined(right, vectors)};
}

// A vector as bytes 1 … 255 around 128, and what a step of them is worth.
struct Rounded {
  std::vector<u8> bytes;
  double step;
};
Rounded rounded(const Frame& v, std::size_t k) {
  double largest = 0;
  for (std::size_t i = 0; i < v.length; ++i) largest = std::max(largest, std::abs(v.row(i)[k]));
  Rounded out{{}, largest / 127};
  for (std::size_t i = 0; i < v.length; ++i) {
    const double steps = largest > 0 ? std::nearbyint(v.row(i)[k] / out.step) : 0;
    out.bytes.push_back(static_cast<u8>(128 + static_cast<int>(std::clamp(steps, -127.0, 127.0))));
  }
  return out;
}

void fit(const SymbolMatrix& x, const OptionReader& options, LedgerWriter& out) {
  const i64 rank = std::min({options.integer("rank", 1, kMaxRank), x.rows, x.cols});
  out.write(LedgerEntry::param, static_cast<u8>(rank));
  if (rank == 0) return;
  const Factors factors = best_factors(x, static_cast<std::size_t>(rank));
  for (std::size_t k = 0; k < factors.left.count; ++k) {
    const Rounded left = rounded(factors.left, k), right = rounded(factors.right, k);
    const double scale = std::nearbyint(left.step * right.step * (1 << kScaleBits));
    out.write(LedgerEntry::param, static_cast<u32>(std::clamp(scale, 0.0, 4294967295.0)));
    write_side_stream(left.bytes, 8, LedgerEntry::param, out);
    write_side_stream(right.bytes, 8, LedgerEntry::param, out);
  }
}

std::vector<u8> read(ByteReader& in, const SymbolMatrix& shape) {
  const int rank = in.read<u8>("rank");
  const auto rows = static_cast<std::size_t>(shape.rows), cols = static_cast<std::size_t>(shape.cols);
  if (rank > kMaxRank || static_cast<std::size_t>(rank) > std::min(rows, cols))
    throw Error(ErrorKind::corrupt, fmt::format("rank {} of {} rows and {} columns", rank, rows, cols));
  struct Component {
    i64 scale;
    std::vector<u8> left, right;
  };
  std::vector<Component> components;
  for (int k = 0; k < rank; ++k) {
    Component component{in.read<u32>("scale of a component"), {}, {}};
    component.left = read_side_stream(in, rows, 8, 256, "left factor");
    component.right = read_side_stream(in, cols, 8, 256, "right factor");
    components.push_back(std::move(component));
  }
  const i64 least = -i64{shape.info.zero}, greatest = least + (i64{1} << shape.info.bits) - 1;
  std::vector<u8> part(shape.symbols.size());
  std::vector<i64> sums(cols);
  for (std::size_t r = 0; r < rows && rank > 0; ++r) {
    std::fill(sums.begin(), sums.end(), i64{1} << (kScaleBits - 1));
    for (const Component& component : components) {
      const i64 factor = component.scale * (component.left[r] - 128);
      for (std::size_t c = 0; c < cols; ++c) sums[c] += factor * (component.right[c] - 128);
    }
    // Outside the symbols' range no guess is right.
    for (std::size_t c = 0; c < cols; ++c)
      part[r * cols + c] = static_cast<u8>(std::clamp(sums[c] >> kScaleBits, least, greatest));
  }
  return part;
}

}  // namespace

const Approximation kLowRank{
    "lowrank", "truncated singular value decomposition, factors in 8 bits", 2, kOptions, check, fit, read};

}  // namespace wcodec
