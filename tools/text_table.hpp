// Aligned tables for a terminal.
#pragma once

#include <string>
#include <vector>

#include "core/types.hpp"

namespace wcodec {

// Rows of equally many cells, the first of them the heading: two spaces between columns, the first one aligned to the
// left and all others to the right.
std::string text_table(const std::vector<std::vector<std::string>>& rows);

// "512x768", or "scalar".
std::string shape_text(const std::vector<i64>& shape);

}  // namespace wcodec
