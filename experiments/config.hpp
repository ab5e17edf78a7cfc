// An experiment as written by its author: the schema of configs/*.yaml, checked, with every stage spec in canonical
// form.
#pragma once

#include <array>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/dtype.hpp"
#include "core/types.hpp"

namespace wcodec {

// Stage axes in the order in which a grid is expanded and reported.
enum class Axis : u8 { quantizer, order, approx, tile, modes, transform, coder, device, reference };
inline constexpr std::size_t kAxes = 9;
inline constexpr std::array<sv, kAxes> kAxisNames = {"quantizer", "order", "approx", "tile",     "modes",
                                                     "transform", "coder", "device", "reference"};

struct CheckpointConfig {
  std::string name;     // [A-Za-z0-9._-], unique, not "all"
  std::string family;   // checkpoints of one family are not independent; `name` unless given
  std::string path;     // as written
  std::string address;  // for open_checkpoint: variables expanded, relative paths from the project root
  bool optional = false;
  bool required_in_ci = false;               // `optional` does not hold in CI
  std::map<std::string, std::string> views;  // tensor-name glob → view spec; the experiment's own views included
};

struct TensorFilter {
  std::vector<std::string> include = {"*"}, exclude;  // globs over tensor names
  std::vector<std::string> kinds;                     // globs over tensor kinds; empty = all
  i64 min_dim = 2;                                    // rows and cols both at least this: 2 leaves vectors out
  u64 max_weights = 0;                                // larger tensors are left out; 0 = no bound
  u64 limit = 0;                                      // at most so many of a checkpoint, in file order; 0 = all
};

// What `where` and `measure.timing.only` can look at: fields of a cell and of its tensor. `coder` is that of a codec
// cell, `baseline` that of a baseline's.
inline constexpr std::array<sv, 17> kConditionFields = {
    "checkpoint", "family", "tensor", "kind",  "dtype",     "control", "role",   "baseline", "quantizer",
    "order",      "approx", "tile",   "modes", "transform", "coder",   "device", "reference"};

// One field and the globs of which one has to match. Globs are matched against canonical specs; "int4:*" also matches
// plain "int4". A glob without * and ? is a spec or mode set like any other ("left+none") and made canonical.
struct Condition {
  std::string field;
  std::vector<std::string> globs;
};

// Drops the cells that meet all of `when` and all of `drop`. A cell that lacks a field (a baseline's tile) never
// matches.
struct WhereRule {
  std::vector<Condition> when, drop;
};

struct TimingConfig {
  int repeats = 10, warmup = 3;
  std::vector<Condition> only;  // cells to time meet all of these; by default those of control `original`
};

struct Comparison {
  std::string factor = "modes";
  std::string against;  // canonical value of the factor
  std::string statistic = "bpw";
  double margin = 0.01;  // bit/weight within which an effect is none
};

struct LimitConfig {
  double timeout_s = 600;     // a cell
  u64 memory_mib = 0;         // a worker; 0 = no bound
  u64 max_cells = 1'000'000;  // of the whole grid
};

struct ExperimentConfig {
  std::string experiment;  // also the name of the results folder: [A-Za-z0-9._-]
  std::string question;
  std::vector<CheckpointConfig> checkpoints;
  TensorFilter tensors;
  std::vector<std::string> controls = {"original", "shuffled", "gaussian"};
  std::array<std::vector<std::string>, kAxes> axes;  // canonical specs without duplicates, each at least one
  std::vector<std::vector<Axis>> zip;                // groups of axes of equal length that advance together
  std::vector<WhereRule> where;
  std::vector<std::string> baselines;
  std::vector<std::string> baseline_controls = {"original"};
  std::optional<TimingConfig> timing;
  std::vector<Comparison> compare;
  std::map<std::string, std::string> modes_identities, coder_identities,
      baseline_identities;                              // by spec; see StageNames
  std::map<std::string, std::string> baseline_devices;  // by spec: where it runs
  std::string expect;  // folder of results that a run has to repeat, an address; empty: none
  LimitConfig limits;
  u64 seed = 1;
  int threads = 0;  // always at least 1 after loading
  bool diagnostics = true;

  const std::vector<std::string>& axis(Axis which) const noexcept { return axes[static_cast<std::size_t>(which)]; }
};

// Cells that axes, controls and baselines make of one tensor, before `where`; saturates at 2^64 − 1.
u64 grid_size(const ExperimentConfig& config);
// "quantizer 4 × tile 4 × … × control 3 + …", for the refusal of a grid that is too large.
std::string describe_grid(const ExperimentConfig& config);

// Canonical spellings of stages; each throws Error{usage} on what it does not know. Functions, so that the schema is
// tested apart from the stages.
struct StageNames {
  std::function<std::string(sv)> quantizer, order, approx, tile, transform, coder, baseline;
  // What decides the bytes of a canonical spec beyond the spec itself: a library's version, a plug-in's file. May be
  // absent.
  std::function<std::string(const std::string&)> modes_identity, coder_identity, baseline_identity;
  std::function<std::string(const std::string&)> baseline_device;  // "cpu" or "cuda:0"; absent: "cpu"
  std::function<std::string(const std::vector<std::string>&)> modes;
};
StageNames stage_names();  // of this process, plug-ins included

struct LoadOptions {
  StageNames names;
  std::vector<std::string> overrides;  // "axes.tile=[16x16]": key path and YAML value, laid over the file
  std::function<std::optional<std::string>(const std::string&)> environment;  // the process's own unless given
};

// Reads an experiment. `extends: other.yaml` (relative to the file that says it) lays the file over another one: maps
// key by key, lists as a whole. Throws Error{config} "FILE:LINE:COLUMN: key 'x': what" with the line and a caret below,
// Error{usage} for a malformed override, Error{not_found} or Error{io} for the file itself.
//
// Paths: `${VAR}` and `${VAR:-default}` are expanded in checkpoint paths only. A path that is still relative counts
// from the project root, which is the folder above the nearest `configs` folder that holds the file, or else the file's
// own folder; one that begins with a variable of the environment counts from the working directory, like any shell
// argument.
// `${WCODEC_CHECKPOINTS}` is `../shared/checkpoints` from the project root when it is not set.
ExperimentConfig load_config(const std::filesystem::path& file, const LoadOptions& options);
// The same for text; `name` stands for the file in messages, `folder` for the folder it lies in.
ExperimentConfig parse_config(const std::string& text, const std::string& name, const std::filesystem::path& folder,
                              const LoadOptions& options);

// The experiment as JSON that parse_config reads back to the same experiment, in an order of keys of our own and with
// defaults written out. What cannot change a result is left out: question, threads, limits, expect. Paths as written.
std::string canonical_config(const ExperimentConfig& config);
// Content hash of canonical_config: 32 hex digits. Equal for two files that ask the same.
std::string config_hash(const ExperimentConfig& config);

}  // namespace wcodec
