#include "tools/comparison_output.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "tools/text_table.hpp"

namespace wcodec {
namespace {

constexpr std::size_t kShown = 20;

std::string or_dash(const std::string& text) { return text.empty() ? "-" : printable(text); }

}  // namespace

std::string comparison_text(const ResultsComparison& comparison, const std::string& folder,
                            const std::string& expected) {
  std::string out;
  if (comparison.same()) {
    out = fmt::format("{} repeats {}: {} values in {} rows, no difference.\n", printable(folder), printable(expected),
                      comparison.values, comparison.rows);
  } else {
    out = fmt::format("{} differs from {} in {} places ({} values in {} rows compared):\n", printable(folder),
                      printable(expected), comparison.differences.size(), comparison.values, comparison.rows);
    std::vector<std::vector<std::string>> rows{{"row", "file", "column", "expected", "found"}};
    for (const ResultsDifference& difference : comparison.differences) {
      if (rows.size() > kShown) break;
      rows.push_back({or_dash(difference.row), difference.file, or_dash(difference.column),
                      or_dash(difference.expected), or_dash(difference.found)});
    }
    out += text_table(rows);
    if (comparison.differences.size() > kShown) {
      out += fmt::format("and {} more; --json shows all\n", comparison.differences.size() - kShown);
    }
  }
  for (const std::string& note : comparison.notes) out += "note: " + printable(note) + "\n";
  return out;
}

nlohmann::json comparison_json(const ResultsComparison& comparison, const std::string& folder,
                               const std::string& expected) {
  nlohmann::json out = {{"folder", folder},
                        {"expected", expected},
                        {"same", comparison.same()},
                        {"rows", comparison.rows},
                        {"values", comparison.values},
                        {"notes", comparison.notes},
                        {"differences", nlohmann::json::array()}};
  for (const ResultsDifference& difference : comparison.differences) {
    out["differences"].push_back({{"file", difference.file},
                                  {"row", difference.row},
                                  {"column", difference.column},
                                  {"expected", difference.expected},
                                  {"found", difference.found}});
  }
  return out;
}

}  // namespace wcodec
