// Plots, Parquet and the page of a results folder are made by Python; this finds it and runs it.
#pragma once

#include <string>

#include "core/types.hpp"

namespace wcodec {

enum class ReportStatus : u8 { made, no_python, failed };

struct ReportOutcome {
  ReportStatus status = ReportStatus::made;
  std::string sentence;  // why not, in one sentence; where `made`, what Python printed on its standard output
};

// Runs `python -m wcodec_report FOLDER` with the Python of ${WCODEC_PYTHON}, else the .venv of the project or of the
// working directory, else python3. `json` asks it for one JSON object.
ReportOutcome make_report(const std::string& folder, bool json);

}  // namespace wcodec
