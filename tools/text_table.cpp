#include "tools/text_table.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace wcodec {

std::string text_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i)
      out += i == 0 ? fmt::format("{:<{}}", row[i], widths[i]) : fmt::format("  {:>{}}", row[i], widths[i]);
    out += '\n';
  }
  return out;
}

std::string shape_text(const std::vector<i64>& shape) {
  std::string text;
  for (const i64 side : shape) text += fmt::format("{}{}", text.empty() ? "" : "x", side);
  return text.empty() ? "scalar" : text;
}

}  // namespace wcodec
