// Verdicts anew from numbers that were measured before.
#pragma once

#include <string>
#include <vector>

#include "experiments/config.hpp"
#include "experiments/verdict.hpp"

namespace wcodec {

// Compares the rows of folder/summary.csv as `config` asks and writes verdicts.csv and the tables `verdicts` and
// `verdict-kinds`, as write_results would; nothing is measured and no other file is touched. Throws Error{not_found}
// without summary.csv, Error{corrupt} where it is not one of ours, Error{usage} where no row belongs to a checkpoint of
// the config, which is then that of another experiment.
std::vector<VerdictRow> rejudge(const std::string& folder, const ExperimentConfig& config);

}  // namespace wcodec
