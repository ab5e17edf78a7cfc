// Pieces of load_config; for config*.cpp only.
#pragma once

#include "experiments/config.hpp"
#include "experiments/yaml_field.hpp"

namespace wcodec {

// Where the paths of an experiment count from, and what their variables stand for.
class PathResolver {
 public:
  PathResolver(const std::filesystem::path& folder, const LoadOptions& options);
  // Address of a checkpoint whose path is the text of `field`; its errors point there.
  std::string resolve(const yaml::Field& field) const;

 private:
  std::optional<std::string> variable(const std::string& name) const;

  std::filesystem::path root_;
  std::function<std::optional<std::string>(const std::string&)> environment_;
};

std::vector<CheckpointConfig> read_checkpoints(const yaml::Field& field,
                                               const std::map<std::string, std::string>& views,
                                               const PathResolver& paths);
std::map<std::string, std::string> read_views(const yaml::Field& field);
std::vector<std::string> read_controls(const yaml::Field& field);

// Fill config.axes, config.zip and config.baselines; the grid is checked against config.limits.
void read_axes(const yaml::Field& field, const StageNames& names, ExperimentConfig& config);
void read_zip(const yaml::Field& field, ExperimentConfig& config);
std::vector<std::string> read_baselines(const yaml::Field& field, const StageNames& names);

// A spec through its stage's canonical form; the stage's error becomes one that points at `field`.
std::string read_spec(const yaml::Field& field, const std::function<std::string(sv)>& canonical);
// "cpu", "cpu:scalar", "cpu:all", "cuda:0"; `auto` is what this machine has.
std::string read_device(const yaml::Field& field);
// A list of predictors, e.g. [none, left], as "none+left".
std::string read_modes(const yaml::Field& field, const StageNames& names);

// After checkpoints: a checkpoint's name is looked up.
std::vector<Condition> read_conditions(const yaml::Field& field, const StageNames& names,
                                       const ExperimentConfig& config);
std::vector<WhereRule> read_where(const yaml::Field& field, const StageNames& names, const ExperimentConfig& config);

// Letters, digits, '.', '_', '-', at most 64, beginning with a letter or digit: safe as file name and table cell.
std::string read_name(const yaml::Field& field);

}  // namespace wcodec
