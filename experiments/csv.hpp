// CSV as results/README.md fixes it: RFC 4180 quoting, comma, '\n', '.' as decimal point, an empty cell for "not
// applicable", real numbers with the fewest digits that read back to the same double.
#pragma once

#include <string>
#include <vector>

#include "core/types.hpp"

namespace wcodec {

// Shortest text that reads back to the same double; empty for NaN, "0" for −0. Throws Error{internal} on an infinity:
// no column of ours can hold one.
std::string csv_number(double value);

// The text with everything escaped as \xNN that could harm a terminal or a reader of UTF-8: control characters (C0,
// DEL, C1) and bytes that are not UTF-8. For names out of checkpoints and messages about them.
std::string plain_text(sv text);

// Builds a table in memory. Each row is as many `cell` calls as there are columns and one `end_row`.
class CsvWriter {
 public:
  explicit CsvWriter(std::span<const sv> columns);

  CsvWriter& cell(sv text);
  CsvWriter& cell(u64 value) { return cell(sv(std::to_string(value))); }
  CsvWriter& cell(i64 value) { return cell(sv(std::to_string(value))); }
  CsvWriter& cell(int value) { return cell(i64{value}); }
  CsvWriter& cell(double value) { return cell(sv(csv_number(value))); }
  void end_row();  // throws Error{internal} unless every column has its cell

  const std::string& text() const noexcept { return text_; }

 private:
  std::size_t columns_;
  std::size_t filled_ = 0;
  std::string text_;
};

struct CsvLimits {
  std::size_t bytes = std::size_t{1} << 30;
  std::size_t columns = 1024;
  std::size_t rows = 50'000'000;
};

struct CsvTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;  // each as long as `columns`

  std::size_t column(sv name) const;  // throws Error{corrupt} when there is none
};

// Strict: a header of distinct names, rows of equal length, quotes only where RFC 4180 has them, a line end after the
// last row ("\n" or "\r\n"; a lone '\r' only inside quotes). Throws Error{corrupt}, {truncated} or {limit} with the
// line. Allocates no more than a small multiple of the text.
CsvTable parse_csv(sv text, const CsvLimits& limits = {});

// Cells of a typed column: the whole cell must be the number. Throw Error{corrupt}.
u64 csv_count(sv cell);
i64 csv_integer(sv cell);
double csv_real(sv cell);  // empty = NaN

}  // namespace wcodec
