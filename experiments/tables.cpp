#include "experiments/tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/error.hpp"
#include "experiments/csv.hpp"
#include "experiments/results_file.hpp"

namespace wcodec {
namespace {

// Characters a monospaced reader sees: UTF-8 without its continuation bytes.
std::size_t display_width(sv text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<u8>(c) & 0xc0) != 0x80; }));
}

std::string markdown_text(sv text) {
  std::string out;
  for (const char c : plain_text(text)) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else {
      if (sv("\\|*_`[]~$").find(c) != sv::npos) out += '\\';
      out += c;
    }
  }
  return out;
}

std::string latex_text(sv text) {
  std::string out;
  for (const char c : plain_text(text)) {
    switch (c) {
      case '\\':
        out += "\\textbackslash{}";
        break;
      case '~':
        out += "\\textasciitilde{}";
        break;
      case '^':
        out += "\\textasciicircum{}";
        break;
      case '<':
        out += "\\textless{}";
        break;
      case '>':
        out += "\\textgreater{}";
        break;
      case '|':
        out += "\\textbar{}";
        break;
      case '{':
      case '}':
      case '$':
      case '&':
      case '#':
      case '_':
      case '%':
        out += '\\';
        out += c;
        break;
      // A row that begins with one of these would be an argument of the \\ before it; the others form ligatures.
      case '[':
      case ']':
      case '*':
      case '-':
      case '`':
      case '\'':
      case '"':
        out += '{';
        out += c;
        out += '}';
        break;
      default:
        out += c;
    }
  }
  return out;
}

// Numbers get a true minus sign.
std::string latex_number(sv text) {
  std::string out = latex_text(text);
  for (auto at = out.find("{-}"); at != std::string::npos; at = out.find("{-}", at)) out.replace(at, 3, "$-$");
  return out;
}

std::string markdown_row(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths,
                         const std::vector<TableColumn>& columns) {
  std::string line = "|";
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::string padding(widths[i] - display_width(cells[i]), ' ');
    const bool right = columns[i].align == Align::right;
    line += " " + (right ? padding + cells[i] : cells[i] + padding) + " |";
  }
  return line + "\n";
}

void check(const Table& table) {
  std::set<sv> headings;
  for (const TableColumn& column : table.columns) {
    if (!headings.insert(column.heading).second) {
      throw Error(ErrorKind::internal, fmt::format("table {}: two columns '{}'", table.name, column.heading));
    }
  }
  for (const auto& row : table.rows) {
    if (row.size() != table.columns.size()) {
      throw Error(ErrorKind::internal, fmt::format("table {}: a row of {} cells under {} columns", table.name,
                                                   row.size(), table.columns.size()));
    }
  }
}

}  // namespace

std::string to_markdown(const Table& table) {
  check(table);
  std::vector<std::vector<std::string>> lines(1);
  for (const TableColumn& column : table.columns) lines[0].push_back(markdown_text(column.heading));
  for (const auto& row : table.rows) {
    std::vector<std::string>& line = lines.emplace_back();
    for (const std::string& cell : row) line.push_back(markdown_text(cell));
  }
  std::vector<std::size_t> widths(table.columns.size(), 3);
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], display_width(line[i]));
  }
  std::string out = fmt::format("### {}\n\n", markdown_text(table.title));
  out += markdown_row(lines[0], widths, table.columns);
  out += "|";
  for (std::size_t i = 0; i < widths.size(); ++i) {
    out += " " + std::string(widths[i] - 1, '-') + (table.columns[i].align == Align::right ? ":" : "-") + " |";
  }
  out += "\n";
  for (std::size_t i = 1; i < lines.size(); ++i) out += markdown_row(lines[i], widths, table.columns);
  for (const std::string& note : table.notes) out += "\n" + markdown_text(note) + "\n";
  return out;
}

std::string to_csv(const Table& table) {
  check(table);
  std::vector<sv> headings;
  for (const TableColumn& column : table.columns) headings.push_back(column.heading);
  CsvWriter csv(headings);
  for (const auto& row : table.rows) {
    for (const std::string& cell : row) csv.cell(sv(plain_text(cell)));
    csv.end_row();
  }
  return csv.text();
}

std::string to_latex(const Table& table) {
  check(table);
  std::string out = "\\begin{table}\n  \\centering\n";
  out += fmt::format("  \\caption{{{}}}\n  \\label{{tab:wcodec-{}}}\n  \\begin{{tabular}}{{", latex_text(table.title),
                     table.name);
  for (const TableColumn& column : table.columns) out += column.align == Align::right ? 'r' : 'l';
  out += "}\n    \\toprule\n";
  const auto add_row = [&](const auto& cell) {
    for (std::size_t i = 0; i < table.columns.size(); ++i) out += (i == 0 ? "    " : " & ") + cell(i);
    out += " \\\\\n";
  };
  add_row([&](std::size_t i) { return latex_text(table.columns[i].heading); });
  out += "    \\midrule\n";
  for (const auto& row : table.rows) {
    add_row([&](std::size_t i) {
      return table.columns[i].align == Align::right ? latex_number(row[i]) : latex_text(row[i]);
    });
  }
  out += "    \\bottomrule\n  \\end{tabular}\n";
  for (const std::string& note : table.notes) out += "  \\par\\footnotesize " + latex_text(note) + "\n";
  return out + "\\end{table}\n";
}

void write_tables(const std::string& folder, std::span<const Table> tables) {
  for (const Table& table : tables) {
    const std::string stem = folder + "/" + table.name;
    write_file_atomically(stem + ".md", to_markdown(table));
    write_file_atomically(stem + ".csv", to_csv(table));
    write_file_atomically(stem + ".tex", to_latex(table));
  }
}

std::string format_real(double value, int digits) {
  if (std::isnan(value)) return {};
  std::string text = fmt::format("{:.{}f}", value, digits);
  // A negative number that rounds to zero keeps its sign in print.
  if (text.front() == '-' && text.find_first_of("123456789") == std::string::npos) text.erase(0, 1);
  return text;
}

std::string format_signed(double value, int digits) {
  const std::string text = format_real(value, digits);
  return text.empty() || text.front() == '-' ? text : "+" + text;
}

std::string format_short(u64 count) {
  constexpr sv kUnits[] = {"", " k", " M", " G", " T"};
  double value = static_cast<double>(count);
  std::size_t unit = 0;
  // 999.5 would print as 1000.
  while (value >= (unit == 0 ? 1000.0 : 999.5) && unit + 1 < std::size(kUnits)) {
    value /= 1000;
    ++unit;
  }
  const int digits = unit == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return fmt::format("{:.{}f}{}", value, digits, kUnits[unit]);
}

}  // namespace wcodec
