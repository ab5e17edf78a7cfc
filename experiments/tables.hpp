// Tables for people: one type, three renderings.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/types.hpp"

namespace wcodec {

enum class Align : u8 { left, right };  // right also says: numbers

struct TableColumn {
  std::string heading;
  Align align = Align::left;
};

struct Table {
  std::string name;   // of the files: [a-z-]
  std::string title;  // one line
  std::vector<TableColumn> columns;
  std::vector<std::vector<std::string>> rows;  // each as long as `columns`
  std::vector<std::string> notes;              // sentences below the table: units, denominators, what is left out
};

// Text may be anything: each rendering escapes what its language would act on, and control characters in all of them.
std::string to_markdown(const Table& table);  // GitHub-flavoured, columns padded to read as plain text too
std::string to_csv(const Table& table);       // header and rows only
std::string to_latex(const Table& table);     // a table environment; needs \usepackage{booktabs}

// FOLDER/<name>.md, .csv and .tex of each, atomically.
void write_tables(const std::string& folder, std::span<const Table> tables);

// Numbers in tables; empty for NaN. Never "-0.000".
std::string format_real(double value, int digits);
std::string format_signed(double value, int digits);  // "+0.012", "-0.012"
std::string format_short(u64 count);                  // "950", "22.7 k", "43.9 M", "7.24 G"

}  // namespace wcodec
