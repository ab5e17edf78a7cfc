#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/spec.hpp"
#include "experiments/plan.hpp"

namespace wcodec {
namespace {

using nlohmann::ordered_json;

struct CheckpointTotals {
  std::size_t tensors = 0, cells = 0;
  u64 weights = 0;
};

std::vector<CheckpointTotals> totals(const Plan& plan, const ExperimentConfig& config) {
  std::vector<CheckpointTotals> sums(config.checkpoints.size());
  for (const PlannedTensor& tensor : plan.tensors) {
    ++sums[tensor.checkpoint].tensors;
    sums[tensor.checkpoint].weights += tensor.info.weights();
  }
  for (const Cell& cell : plan.cells) ++sums[cell.checkpoint].cells;
  return sums;
}

std::string in_words(double seconds) {
  if (seconds < 90) return fmt::format("{:.0f} s", seconds);
  if (seconds < 90 * 60) return fmt::format("{:.0f} min", seconds / 60);
  if (seconds < 48 * 3600) return fmt::format("{:.1f} h", seconds / 3600);
  return fmt::format("{:.0f} days", seconds / 86400);
}

double mib(u64 bytes) { return static_cast<double>(bytes) / (1 << 20); }

std::size_t to_run(const Plan& plan) { return plan.cells.size() - plan.duplicates; }

// File names and the like may hold any bytes; JSON must be UTF-8.
std::string dump(const ordered_json& json, int indent) {
  return json.dump(indent, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace

std::string describe_plan(const Plan& plan, const ExperimentConfig& config) {
  std::string out =
      fmt::format("{}{}{}\n", config.experiment, config.question.empty() ? "" : ": ", printable(config.question));
  out += fmt::format("grid: {} per tensor\n\n", describe_grid(config));
  out += fmt::format("  {:<24} {:>8} {:>12} {:>10}\n", "checkpoint", "tensors", "weights", "cells");
  const std::vector<CheckpointTotals> sums = totals(plan, config);
  for (std::size_t i = 0; i < sums.size(); ++i) {
    out += fmt::format("  {:<24} {:>8} {:>12} {:>10}\n", config.checkpoints[i].name, sums[i].tensors, sums[i].weights,
                       sums[i].cells);
  }
  out += fmt::format("\n{} cells to run in {} tasks", to_run(plan), plan.tasks.size());
  if (plan.duplicates != 0) out += fmt::format(" ({} rows repeat a cell)", plan.duplicates);
  if (plan.dropped != 0) out += fmt::format(", {} dropped by `where`", plan.dropped);
  if (!plan.timed.empty()) out += fmt::format(", {} cells to time", plan.timed.size());
  out +=
      fmt::format("\nreads {:.1f} MiB; {:.3g} weights to encode; about {} on one core, {} on {}; {:.0f} MiB a worker\n",
                  mib(plan.read_bytes), static_cast<double>(plan.weight_cells), in_words(plan.seconds),
                  in_words(plan.seconds / config.threads), config.threads, mib(plan.memory_bytes));
  for (const std::string& note : plan.notes) out += fmt::format("note: {}\n", printable(note));
  return out;
}

std::string plan_json(const Plan& plan, const ExperimentConfig& config) {
  ordered_json out = {{"experiment", config.experiment},
                      {"config_hash", config_hash(config)},
                      {"rows", plan.cells.size()},
                      {"cells", to_run(plan)},
                      {"duplicates", plan.duplicates},
                      {"dropped", plan.dropped},
                      {"not_applicable", plan.not_applicable},
                      {"tasks", plan.tasks.size()},
                      {"timed", plan.timed.size()},
                      {"read_bytes", plan.read_bytes},
                      {"weight_cells", plan.weight_cells},
                      {"seconds_one_core", plan.seconds},
                      {"memory_bytes", plan.memory_bytes},
                      {"threads", config.threads},
                      {"notes", plan.notes}};
  ordered_json& checkpoints = out["checkpoints"] = ordered_json::array();
  const std::vector<CheckpointTotals> sums = totals(plan, config);
  for (std::size_t i = 0; i < sums.size(); ++i) {
    checkpoints.push_back({{"name", config.checkpoints[i].name},
                           {"tensors", sums[i].tensors},
                           {"weights", sums[i].weights},
                           {"rows", sums[i].cells}});
  }
  return dump(out, 2) + "\n";
}

void write_cells_jsonl(std::FILE* out, const Plan& plan, const ExperimentConfig& config) {
  for (const Cell& cell : plan.cells) {
    const TensorInfo& tensor = plan.tensor_of(cell).info;
    const ordered_json row = {{"cell", cell.hash},
                              {"checkpoint", config.checkpoints[cell.checkpoint].name},
                              {"tensor", tensor.name},
                              {"kind", tensor.kind},
                              {"dtype", info(tensor.dtype).name},
                              {"rows", tensor.rows},
                              {"cols", tensor.cols},
                              {"control", cell.control},
                              {"seed", cell.seed},
                              {"quantizer", cell.quantizer},
                              {"order", cell.order},
                              {"approx", cell.approx},
                              {"tile", cell.tile},
                              {"modes", cell.modes},
                              {"transform", cell.transform},
                              {"coder", cell.coder},
                              {"role", cell.role == Role::codec ? "codec" : "baseline"},
                              {"device", cell.device},
                              {"reference", cell.reference}};
    const std::string line = dump(row, -1) + "\n";
    if (std::fwrite(line.data(), 1, line.size(), out) != line.size()) {
      throw Error(ErrorKind::io, "cannot write the list of cells");
    }
  }
}

}  // namespace wcodec
