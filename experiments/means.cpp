#include "experiments/means.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "entropy/side_stream.hpp"

namespace wcodec {
namespace {

constexpr sv kAxisChoices[] = {"row", "column", "both"};
constexpr OptionInfo kOptions[] = {
    {"axis", "both", "row|column|both", "whose means; both: of the rows, then of the columns of what is left"}};

constexpr u8 kRows = 1, kColumns = 2;

void check(const OptionReader& options) { options.choice("axis", kAxisChoices); }

// Nearest whole number, halves up.
i64 rounded_mean(i64 sum, i64 count) noexcept {
  const i64 doubled = 2 * sum + count, floor = doubled / (2 * count);
  return doubled % (2 * count) < 0 ? floor - 1 : floor;
}

// Means as symbols, which they fit as values between the least and the greatest do.
std::vector<u8> as_symbols(const std::vector<i64>& sums, i64 count, const PlaneInfo& info) {
  std::vector<u8> out;
  out.reserve(sums.size());
  const i64 last = (i64{1} << info.bits) - 1;
  for (const i64 sum : sums)
    out.push_back(static_cast<u8>(std::clamp(rounded_mean(sum, count) + info.zero, i64{0}, last)));
  return out;
}

void fit(const SymbolMatrix& x, const OptionReader& options, LedgerWriter& out) {
  const std::string axis = options.choice("axis", kAxisChoices);
  const u8 which = axis == "row" ? kRows : axis == "column" ? kColumns : kRows | kColumns;
  out.write(LedgerEntry::param, which);
  if (x.symbols.empty()) return;
  const auto rows = static_cast<std::size_t>(x.rows), cols = static_cast<std::size_t>(x.cols);
  std::vector<u8> row_means;
  if (which & kRows) {
    std::vector<i64> sums(rows);
    for (std::size_t i = 0; i < x.symbols.size(); ++i) sums[i / cols] += x.value(i);
    row_means = as_symbols(sums, x.cols, x.info);
    write_side_stream(row_means, x.info.bits, LedgerEntry::param, out);
  }
  if (which & kColumns) {
    std::vector<i64> sums(cols);
    for (std::size_t r = 0; r < rows; ++r) {
      const int mean = row_means.empty() ? 0 : row_means[r] - x.info.zero;
      for (std::size_t c = 0; c < cols; ++c) sums[c] += x.value(r * cols + c) - mean;
    }
    write_side_stream(as_symbols(sums, x.rows, x.info), x.info.bits, LedgerEntry::param, out);
  }
}

std::vector<u8> read(ByteReader& in, const SymbolMatrix& shape) {
  const u8 which = in.read<u8>("axis of means");
  if (which == 0 || which > (kRows | kColumns)) throw Error(ErrorKind::corrupt, fmt::format("means of axis {}", which));
  std::vector<u8> part(shape.symbols.size());
  if (part.empty()) return part;
  const auto rows = static_cast<std::size_t>(shape.rows), cols = static_cast<std::size_t>(shape.cols);
  const auto means = [&](u8 axis, std::size_t count, const char* what) {
    if ((which & axis) == 0) return std::vector<u8>(count, shape.info.zero);
    return read_side_stream(in, count, shape.info.bits, 1 << shape.info.bits, what);
  };
  const std::vector<u8> of_row = means(kRows, rows, "means of rows");
  const std::vector<u8> of_column = means(kColumns, cols, "means of columns");
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < cols; ++c)
      part[r * cols + c] = static_cast<u8>(of_row[r] + of_column[c] - 2 * shape.info.zero);
  }
  return part;
}

}  // namespace

const Approximation kMeans{"mean", "the mean of rows, columns or both, in whole symbols", 1, kOptions, check, fit,
                           read};

}  // namespace wcodec
