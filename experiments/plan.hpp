// From an experiment to the list of cells it asks for, before any of them is run.
#pragma once

#include <cstdio>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/tensor.hpp"
#include "experiments/cell.hpp"
#include "experiments/config.hpp"

namespace wcodec {

// One entry for each of the config's checkpoints, in the same order.
struct OpenedCheckpoint {
  std::shared_ptr<const Checkpoint> checkpoint;  // null: skipped
  std::string skipped;                           // why
};
using CheckpointOpener = std::function<std::unique_ptr<Checkpoint>(const CheckpointConfig&)>;

// Opens what the experiment names. An optional checkpoint that is not there is skipped; with `in_ci`, one marked
// required_in_ci is not. Throws what the opener throws otherwise, and Error{not_found} when nothing could be opened.
std::vector<OpenedCheckpoint> open_checkpoints(const ExperimentConfig& config, const CheckpointOpener& open,
                                               bool in_ci);

// Content hash of a tensor's bytes, read in bounded windows: what cells are named after, and how one that runs
// elsewhere makes sure that it has the same tensor.
std::string tensor_content_hash(const Checkpoint& checkpoint, std::size_t index);

struct PlannedTensor {
  std::size_t checkpoint = 0, tensor = 0;  // as in Cell
  TensorInfo info;
  std::string hash;  // content hash of its bytes
};

// Cells that share a tensor and a quantizer: what a worker takes at a time and gives to measure_cells.
struct Task {
  std::size_t checkpoint = 0, tensor = 0;
  std::string quantizer;
  std::vector<std::size_t> cells;  // indices into Plan::cells
  u64 weights = 0;                 // of the tensor
  double seconds = 0;              // estimate on one core
  u64 memory_bytes = 0;            // estimate
};

struct Plan {
  std::vector<PlannedTensor> tensors;  // in the order of config and file
  // Every row of the report: by checkpoint, tensor, quantizer, control, then codec cells in axis order, then baselines.
  // Rows of equal hash (the same tensor twice) are one cell and run once.
  std::vector<Cell> cells;
  std::vector<Task> tasks;         // each hash once; largest estimate first
  std::vector<std::size_t> timed;  // cells to time, each hash once, in the order of `cells`
  std::vector<std::string> notes;  // what the author should know: skipped checkpoints, rules without effect
  u64 not_applicable = 0;          // combinations left out: a numeric quantizer on a tensor that is not floating-point
  u64 dropped = 0;                 // by `where`
  u64 duplicates = 0;              // rows whose hash an earlier row has
  u64 read_bytes = 0;              // what the tasks read from checkpoints
  u64 weight_cells = 0;            // weights summed over cells to run
  double seconds = 0;              // one core
  u64 memory_bytes = 0;            // the largest task

  const PlannedTensor& tensor_of(const Cell& cell) const;
};

// Selects tensors, hashes their bytes (config.threads at a time) and expands the grid. The order and every hash depend
// on the experiment and the tensors' bytes alone. Throws Error{limit}, before it expands or reads anything, when the
// grid has more than limits.max_cells cells, and Error{config} when no tensor or no cell is left.
Plan make_plan(const ExperimentConfig& config, std::span<const OpenedCheckpoint> checkpoints);

// Estimated seconds of one cell on one core, from rates in plan_estimate.cpp.
double estimated_seconds(const Cell& cell, u64 weights);
// Estimated peak memory of a task whose cells keep residuals of so many distinct predictors and transforms.
u64 estimated_memory(const TensorInfo& tensor, const std::string& quantizer, std::size_t kept);
// What a task needs beside that for so many references, and to match the rows of one.
u64 reference_memory(const TensorInfo& tensor, std::size_t references, bool matches_rows);

// For people, for programs (one JSON object), and one cell a line.
std::string describe_plan(const Plan& plan, const ExperimentConfig& config);
std::string plan_json(const Plan& plan, const ExperimentConfig& config);
void write_cells_jsonl(std::FILE* out, const Plan& plan, const ExperimentConfig& config);

}  // namespace wcodec
