// How `run` and `compare` tell what compare_results found.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "experiments/compare_results.hpp"

namespace wcodec {

// A sentence, notes, and a table of the first differences.
std::string comparison_text(const ResultsComparison& comparison, const std::string& folder,
                            const std::string& expected);
nlohmann::json comparison_json(const ResultsComparison& comparison, const std::string& folder,
                               const std::string& expected);

}  // namespace wcodec
