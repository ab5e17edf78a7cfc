#include "experiments/rejudge.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "experiments/results_file.hpp"
#include "experiments/tables_verdicts.hpp"

namespace wcodec {

std::vector<VerdictRow> rejudge(const std::string& folder, const ExperimentConfig& config) {
  const std::vector<SummaryRow> rows = parse_summary_csv(read_text_file(folder + "/summary.csv"));
  const bool ours = std::any_of(rows.begin(), rows.end(), [&](const SummaryRow& row) {
    return std::any_of(config.checkpoints.begin(), config.checkpoints.end(),
                       [&](const CheckpointConfig& checkpoint) { return checkpoint.name == row.checkpoint; });
  });
  if (!ours) {
    throw Error(ErrorKind::usage, fmt::format("{} has no row of a checkpoint of experiment '{}': it is another one's",
                                              printable(folder), config.experiment));
  }
  BootstrapOptions bootstrap;
  bootstrap.seed = config.seed;
  std::vector<VerdictRow> verdicts = compare(rows, config.compare, bootstrap);
  write_file_atomically(folder + "/verdicts.csv", sv(verdicts_csv(verdicts)));
  write_tables(folder + "/tables", verdict_tables(verdicts));
  return verdicts;
}

}  // namespace wcodec
