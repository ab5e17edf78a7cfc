#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <unordered_map>
#include <unordered_set>

#include "core/error.hpp"
#include "experiments/provenance.hpp"
#include "experiments/results.hpp"
#include "experiments/results_file.hpp"
#include "experiments/run.hpp"
#include "experiments/tables_model.hpp"
#include "experiments/tables_results.hpp"
#include "experiments/verdict.hpp"

namespace wcodec {
namespace {

CellLabel label(const ExperimentConfig& config, const Plan& plan, const Cell& cell) {
  const CheckpointConfig& checkpoint = config.checkpoints[cell.checkpoint];
  return label_cell(checkpoint.name, checkpoint.family, plan.tensor_of(cell).info, cell);
}

struct Rows {
  std::vector<SummaryRow> summary;
  std::vector<FailureRow> failures;
  std::vector<TimingRow> timings;
  std::vector<DiagnosticsRow> diagnostics;
};

Rows collect(const PlannedExperiment& experiment, const Store& store, const RunHistory& history) {
  const ExperimentConfig& config = experiment.config;
  const Plan& plan = experiment.plan;
  Rows rows;
  std::unordered_map<std::string, std::string> timing_failures;
  for (const auto& failed : history.failed_timings) timing_failures.emplace(failed.hash, failed.reason);
  std::unordered_set<std::string> timed;
  for (const std::size_t index : plan.timed) timed.insert(plan.cells[index].hash);

  for (const Cell& cell : plan.cells) {
    const auto found = store.cells().find(cell.hash);
    if (found == store.cells().end()) continue;
    const CellRecord& record = found->second;
    if (record.status != CellStatus::finished) {
      FailureRow& row = rows.failures.emplace_back();
      static_cast<CellLabel&>(row) = label(config, plan, cell);
      row.status = to_string(record.status);
      row.reason = record.reason;
      continue;
    }
    rows.summary.push_back(summarize(label(config, plan, cell), record.result));
    if (const auto timing = store.timings().find(cell.hash);
        timing != store.timings().end() && timed.contains(cell.hash)) {
      const TimingRecord& t = timing->second;
      rows.timings.push_back(summarize_timing(label(config, plan, cell), t.timed, t.threads, t.clock_mhz, t.throttled));
    } else if (const auto failure = timing_failures.find(cell.hash); failure != timing_failures.end()) {
      FailureRow& row = rows.failures.emplace_back();
      static_cast<CellLabel&>(row) = label(config, plan, cell);
      row.status = to_string(CellStatus::failed);
      row.reason = failure->second;
    }
  }
  for (const Cell& cell : diagnostic_cells(config, plan)) {
    const auto found = store.diagnostics().find(cell.hash);
    if (found == store.diagnostics().end()) continue;
    const CellLabel about = label(config, plan, cell);
    rows.diagnostics.push_back({about.checkpoint, about.tensor, about.kind, plan.tensor_of(cell).info.weights(),
                                config.axis(Axis::tile).front(), found->second});
  }
  return rows;
}

// Files that a run killed while it wrote has left, and tables that this experiment has no more.
void remove_leftovers(const std::string& folder, const std::vector<Table>& tables) {
  const auto sweep = [](const std::string& where, const auto& is_left) {
    std::error_code failure;
    for (const auto& entry : std::filesystem::directory_iterator(where, failure)) {
      if (entry.is_regular_file(failure) && is_left(entry.path())) std::filesystem::remove(entry.path(), failure);
    }
  };
  sweep(folder, [](const std::filesystem::path& path) { return path.extension() == ".tmp"; });
  sweep(folder + "/tables", [&](const std::filesystem::path& path) {
    return std::none_of(tables.begin(), tables.end(), [&](const Table& table) { return path.stem() == table.name; });
  });
}

}  // namespace

std::vector<std::string> write_results(const std::string& folder, const PlannedExperiment& experiment,
                                       const Store& store, const RunHistory& history) {
  const ExperimentConfig& config = experiment.config;
  const Rows rows = collect(experiment, store, history);
  BootstrapOptions bootstrap;
  bootstrap.seed = config.seed;
  const std::vector<VerdictRow> verdicts = compare(rows.summary, config.compare, bootstrap);
  const auto write = [&](const char* name, const std::string& text) {
    write_file_atomically(folder + "/" + name, sv(text));
  };
  write("summary.csv", summary_csv(rows.summary));
  write("modes.csv", modes_csv(rows.summary));
  write("timings.csv", timings_csv(rows.timings));
  write("histograms.csv", histograms_csv(rows.diagnostics));
  write("correlations.csv", correlations_csv(rows.diagnostics));
  write("failures.csv", failures_csv(rows.failures));
  write("verdicts.csv", verdicts_csv(verdicts));
  std::vector<Table> tables = result_tables(rows.summary, rows.timings, verdicts);
  if (auto table = model_tables(rows.diagnostics)) tables.push_back(std::move(*table));
  remove_leftovers(folder, tables);
  write_tables(folder + "/tables", tables);
  write("experiment.yaml", read_text_file(history.config_file));

  RunRecord record;
  record.experiment = config.experiment;
  record.question = config.question;
  record.config_hash = config_hash(config);
  record.seed = config.seed;
  record.checkpoints = record_checkpoints(config, experiment.checkpoints);
  record.cells = {experiment.plan.cells.size(), rows.summary.size(), rows.failures.size(), history.reused};
  record.started = history.started;
  record.ended = std::chrono::system_clock::now();
  write("provenance.json", provenance_json(record));
  return headline(verdicts);
}

}  // namespace wcodec
