#include "experiments/csv.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "core/error.hpp"

namespace wcodec {
namespace {

// Length of the UTF-8 sequence at the start of `text`, 0 if it is none (RFC 3629: shortest form, no surrogates).
std::size_t utf8_length(sv text) noexcept {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<u8>(text[i]) : u8{0}; };
  const auto tail = [&](std::size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const u8 first = byte(0), second = byte(1);
  if (first < 0x80) return 1;
  if (first < 0xc2) return 0;
  if (first < 0xe0) return tail(1) ? 2 : 0;
  if (first < 0xf0) {
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second >= 0xa0)) return 0;
    return tail(1) && tail(2) ? 3 : 0;
  }
  if (first > 0xf4 || (first == 0xf0 && second < 0x90) || (first == 0xf4 && second >= 0x90)) return 0;
  return tail(1) && tail(2) && tail(3) ? 4 : 0;
}

// One pass over the text; `line_` counts line ends so that an error names the place.
class Parser {
 public:
  Parser(sv text, const CsvLimits& limits) : text_(text), limits_(limits) {}

  CsvTable parse() {
    if (text_.size() > limits_.bytes) {
      throw Error(ErrorKind::limit, fmt::format("CSV of {} bytes, at most {} are read", text_.size(), limits_.bytes));
    }
    CsvTable table;
    table.columns = record();
    auto names = table.columns;
    std::sort(names.begin(), names.end());
    if (std::adjacent_find(names.begin(), names.end()) != names.end()) fail("two columns of one name");
    while (at_ < text_.size()) {
      if (table.rows.size() == limits_.rows) {
        throw Error(ErrorKind::limit, fmt::format("CSV line {}: more than {} rows", line_, limits_.rows));
      }
      const std::size_t line = line_;
      table.rows.push_back(record());
      if (table.rows.back().size() != table.columns.size()) {
        line_ = line;
        fail(fmt::format("{} cells where the header has {}", table.rows.back().size(), table.columns.size()));
      }
    }
    return table;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::corrupt, fmt::format("CSV line {}: {}", line_, what));
  }
  [[noreturn]] void torn() const {
    throw Error(ErrorKind::truncated, fmt::format("CSV line {}: the text ends in mid-line", line_));
  }

  std::vector<std::string> record() {
    std::vector<std::string> cells;
    while (true) {
      if (cells.size() == limits_.columns) {
        throw Error(ErrorKind::limit, fmt::format("CSV line {}: more than {} columns", line_, limits_.columns));
      }
      cells.push_back(at_ < text_.size() && text_[at_] == '"' ? quoted() : bare());
      if (at_ == text_.size()) torn();
      if (text_[at_] == ',') {
        ++at_;
        continue;
      }
      if (text_[at_] == '\r') {
        if (++at_ == text_.size()) torn();
        if (text_[at_] != '\n') fail("a carriage return outside quotes");
      }
      if (text_[at_] != '\n') fail("text after a closing quote");
      ++at_;
      ++line_;
      return cells;
    }
  }

  std::string bare() {
    const std::size_t first = at_;
    while (at_ < text_.size() && text_[at_] != ',' && text_[at_] != '\n' && text_[at_] != '\r') {
      if (text_[at_] == '"') fail("a quote inside an unquoted cell");
      ++at_;
    }
    return std::string(text_.substr(first, at_ - first));
  }

  std::string quoted() {
    std::string cell;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '"') {
        if (++at_ == text_.size() || text_[at_] != '"') return cell;
      } else if (text_[at_] == '\n') {
        ++line_;
      }
      cell += text_[at_];
    }
    torn();
  }

  sv text_;
  const CsvLimits& limits_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
};

template <class Number>
Number parse_number(sv cell, const char* what) {
  Number value{};
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (error != std::errc{} || end != cell.data() + cell.size()) {
    throw Error(ErrorKind::corrupt, fmt::format("'{}' is not a {}", printable(cell.substr(0, 80)), what));
  }
  return value;
}

}  // namespace

std::string csv_number(double value) {
  if (std::isnan(value)) return {};
  if (std::isinf(value)) throw Error(ErrorKind::internal, "an infinite number in a result");
  char buffer[32];
  const auto result = std::to_chars(buffer, buffer + sizeof buffer, value + 0.0);  // −0 + 0 is 0
  return std::string(buffer, result.ptr);
}

std::string plain_text(sv text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text.substr(at));
    const bool c1 = length == 2 && static_cast<u8>(text[at]) == 0xc2 && static_cast<u8>(text[at + 1]) < 0xa0;
    if (length == 1) {
      out += printable(text.substr(at, 1));
    } else if (length > 1 && !c1) {
      out += text.substr(at, length);
    } else {
      for (const char c : text.substr(at, std::max<std::size_t>(length, 1))) {
        out += fmt::format("\\x{:02x}", static_cast<u8>(c));
      }
    }
    at += std::max<std::size_t>(length, 1);
  }
  return out;
}

CsvWriter::CsvWriter(std::span<const sv> columns) : columns_(columns.size()) {
  for (const sv name : columns) cell(name);
  end_row();
}

CsvWriter& CsvWriter::cell(sv text) {
  if (filled_++ > 0) text_ += ',';
  // A lone empty cell is quoted so that its row is not an empty line, which other readers skip.
  if (text.find_first_of(",\"\r\n") == sv::npos && !(text.empty() && columns_ == 1)) {
    text_ += text;
    return *this;
  }
  text_ += '"';
  for (const char c : text) {
    if (c == '"') text_ += '"';
    text_ += c;
  }
  text_ += '"';
  return *this;
}

void CsvWriter::end_row() {
  if (filled_ != columns_) {
    throw Error(ErrorKind::internal, fmt::format("a CSV row of {} cells in a table of {} columns", filled_, columns_));
  }
  text_ += '\n';
  filled_ = 0;
}

std::size_t CsvTable::column(sv name) const {
  const auto it = std::find(columns.begin(), columns.end(), name);
  if (it == columns.end()) throw Error(ErrorKind::corrupt, fmt::format("the CSV has no column '{}'", name));
  return static_cast<std::size_t>(it - columns.begin());
}

CsvTable parse_csv(sv text, const CsvLimits& limits) { return Parser(text, limits).parse(); }

u64 csv_count(sv cell) { return parse_number<u64>(cell, "count"); }
i64 csv_integer(sv cell) { return parse_number<i64>(cell, "whole number"); }
double csv_real(sv cell) {
  if (cell.empty()) return std::numeric_limits<double>::quiet_NaN();
  const double value = parse_number<double>(cell, "number");
  if (!std::isfinite(value)) throw Error(ErrorKind::corrupt, "a number in the CSV is not finite");
  return value;
}

}  // namespace wcodec
