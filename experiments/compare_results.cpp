#include "experiments/compare_results.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "core/error.hpp"
#include "experiments/csv.hpp"
#include "experiments/results_file.hpp"

namespace wcodec {
namespace {

struct File {
  const char* name;
  std::vector<sv> key;        // columns that say what a row is about, as far as both files have them
  std::vector<sv> corrected;  // columns that depend on which other comparisons there are
};

const File kFiles[] = {
    {"summary.csv",
     {"checkpoint", "tensor", "control", "device", "quantizer", "order", "approx", "reference", "tile", "modes",
      "transform", "coder", "role"},
     {}},
    {"verdicts.csv",
     {"scope", "checkpoint", "kind", "dtype", "quantizer", "tile", "coder", "modes", "against", "statistic"},
     {"p_holm", "q", "bytes_p_holm", "bytes_q", "verdict", "bytes_verdict"}},
};

CsvTable read_table(const std::string& folder, const char* name) {
  const std::string path = folder + "/" + name;
  CsvTable table;
  try {
    table = parse_csv(read_text_file(path));
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::not_found) throw;
    throw Error(error.kind(), fmt::format("{}: {}", printable(path), error.what()));
  }
  if (std::find(table.columns.begin(), table.columns.end(), "checkpoint") == table.columns.end()) {
    throw Error(ErrorKind::corrupt, fmt::format("{}: no column 'checkpoint': not a table of results", printable(path)));
  }
  return table;
}

std::set<std::string> checkpoints(const CsvTable& table) {
  std::set<std::string> names;
  const std::size_t column = table.column("checkpoint");
  for (const auto& row : table.rows) names.insert(row[column]);
  return names;
}

bool has(const CsvTable& table, sv column) {
  return std::find(table.columns.begin(), table.columns.end(), column) != table.columns.end();
}

bool is_real(const std::string& text, double& value) {
  if (text.empty()) return false;
  try {
    value = csv_real(text);
    return true;
  } catch (const Error&) {
    return false;
  }
}

bool equal(const std::string& expected, const std::string& found, double tolerance) {
  if (expected == found) return true;
  double a = 0, b = 0;
  // Whole numbers are bytes and counts: they are equal or they are not.
  const auto is_whole = [](const std::string& text) { return text.find_first_of(".eE") == std::string::npos; };
  if (!is_real(expected, a) || !is_real(found, b) || (is_whole(expected) && is_whole(found))) return false;
  return std::fabs(a - b) <= tolerance * std::max(1.0, std::fabs(a));
}

// One file of both folders.
class Pair {
 public:
  Pair(const File& file, CsvTable found, CsvTable expected, const std::set<std::string>& common, bool all_there)
      : file_(file), found_(std::move(found)), expected_(std::move(expected)), common_(common), all_there_(all_there) {
    for (const sv column : file.key) {
      if (has(found_, column) && has(expected_, column)) key_.push_back(column);
    }
  }

  void compare(double tolerance, ResultsComparison& out) const {
    const auto found = index(found_), expected = index(expected_);
    for (const auto& [key, row] : expected) {
      const auto other = found.find(key);
      if (other == found.end()) {
        out.differences.push_back({file_.name, key, "", "a row", "none"});
      } else {
        compare_row(key, *row, *other->second, tolerance, out);
      }
    }
    for (const auto& [key, row] : found) {
      if (!expected.contains(key)) out.differences.push_back({file_.name, key, "", "none", "a row"});
    }
  }

 private:
  using Row = std::vector<std::string>;

  bool left_out(const CsvTable& table, const Row& row) const {
    const std::string& checkpoint = row[table.column("checkpoint")];
    return has(table, "scope") && row[table.column("scope")] == "pooled" ? !all_there_ : !common_.contains(checkpoint);
  }

  std::map<std::string, const Row*> index(const CsvTable& table) const {
    std::map<std::string, const Row*> rows;
    for (const Row& row : table.rows) {
      if (left_out(table, row)) continue;
      std::string key;
      for (const sv column : key_) {
        const std::string& cell = row[table.column(column)];
        if (!cell.empty()) key += (key.empty() ? "" : ", ") + cell;
      }
      rows.emplace(std::move(key), &row);
    }
    return rows;
  }

  void compare_row(const std::string& key, const Row& expected, const Row& found, double tolerance,
                   ResultsComparison& out) const {
    ++out.rows;
    for (std::size_t column = 0; column < expected_.columns.size(); ++column) {
      const std::string& name = expected_.columns[column];
      if (name == "cell" || std::find(key_.begin(), key_.end(), name) != key_.end()) continue;
      const bool corrected = std::find(file_.corrected.begin(), file_.corrected.end(), name) != file_.corrected.end();
      if (corrected && !all_there_) continue;
      if (!has(found_, name)) continue;
      ++out.values;
      const std::string& other = found[found_.column(name)];
      if (!equal(expected[column], other, tolerance)) {
        out.differences.push_back({file_.name, key, name, expected[column], other});
      }
    }
  }

  const File& file_;
  CsvTable found_, expected_;
  const std::set<std::string>& common_;
  bool all_there_;
  std::vector<sv> key_;
};

void require_columns(const File& file, const CsvTable& found, const CsvTable& expected, ResultsComparison& out) {
  for (const std::string& column : expected.columns) {
    if (!has(found, column)) out.differences.push_back({file.name, "", column, "a column", "none"});
  }
}

}  // namespace

ResultsComparison compare_results(const std::string& folder, const std::string& expected,
                                  const CompareOptions& options) {
  ResultsComparison out;
  const auto here = checkpoints(read_table(folder, "summary.csv"));
  const auto there = checkpoints(read_table(expected, "summary.csv"));
  std::set<std::string> common;
  std::vector<std::string> only_here, only_there;
  std::set_intersection(here.begin(), here.end(), there.begin(), there.end(), std::inserter(common, common.begin()));
  std::set_difference(here.begin(), here.end(), there.begin(), there.end(), std::back_inserter(only_here));
  std::set_difference(there.begin(), there.end(), here.begin(), here.end(), std::back_inserter(only_there));
  if (common.empty()) {
    throw Error(ErrorKind::usage, fmt::format("{} and {} have no checkpoint in common: there is nothing to compare",
                                              printable(folder), printable(expected)));
  }
  if (!only_there.empty()) {
    out.notes.push_back(fmt::format("not measured in {}, so not compared: {}", folder, fmt::join(only_there, ", ")));
  }
  if (!only_here.empty()) {
    out.notes.push_back(fmt::format("not in {}, so not compared: {}", expected, fmt::join(only_here, ", ")));
  }
  const bool all_there = only_here.empty() && only_there.empty();
  if (!all_there) {
    out.notes.emplace_back(
        "pooled verdicts and what is corrected for the number of comparisons depend on all checkpoints: not compared");
  }
  for (const File& file : kFiles) {
    CsvTable found = read_table(folder, file.name), wanted = read_table(expected, file.name);
    require_columns(file, found, wanted, out);
    Pair(file, std::move(found), std::move(wanted), common, all_there).compare(options.tolerance, out);
  }
  return out;
}

}  // namespace wcodec
