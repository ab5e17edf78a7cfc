#include <fmt/format.h>

#include <cstdlib>

#include "core/error.hpp"
#include "core/sources/source.hpp"
#include "experiments/stage_registries.hpp"
#include "tools/command.hpp"

namespace wcodec {
namespace {

void replace_checkpoint(ExperimentConfig& config, const std::string& argument) {
  const auto equals = argument.find('=');
  if (equals == 0 || equals == std::string::npos || equals + 1 == argument.size()) {
    throw Error(ErrorKind::usage, fmt::format("--checkpoint {} is not of the form NAME=PATH", printable(argument)));
  }
  const std::string name = argument.substr(0, equals);
  std::vector<sv> known;
  for (CheckpointConfig& checkpoint : config.checkpoints) {
    known.push_back(checkpoint.name);
    if (checkpoint.name != name) continue;
    checkpoint.path = checkpoint.address = argument.substr(equals + 1);
    checkpoint.optional = false;  // who names a path wants it
    return;
  }
  throw Error(ErrorKind::usage, fmt::format("--checkpoint: {}", unknown_name("checkpoint", name, known)));
}

bool in_ci() {
  const char* ci = std::getenv("CI");
  return ci != nullptr && *ci != '\0' && std::string(ci) != "false";
}

}  // namespace

void declare_plugins(CLI::App& command, std::vector<std::string>& plugins) {
  command.add_option("--plugin", plugins, "Shared library with further predictors, coders or baselines; repeatable")
      ->type_name("LIB")
      ->allow_extra_args(false);
}

void ExperimentArguments::declare(CLI::App& command) {
  command.add_option("config", config, "Experiment to load: a YAML file, see configs/")
      ->required()
      ->type_name("CONFIG");
  command
      .add_option("--checkpoint", checkpoints, "Take the checkpoint NAME of the config from PATH instead; repeatable")
      ->type_name("NAME=PATH")
      ->allow_extra_args(false);
  command
      .add_option("--set", overrides,
                  "Lay a YAML value over a key of the config, e.g. --set axes.tile=[16x16]; repeatable")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command
      .add_option("-j,--threads", threads, "Worker processes (default: `threads` of the config, else one a processor)")
      ->type_name("N")
      ->check(CLI::Range(1, 1024));
  declare_plugins(command, plugins);
}

PlannedExperiment load_experiment(const ExperimentArguments& arguments, Progress* progress) {
  PlannedExperiment loaded;
  LoadOptions options;
  use_plugins(arguments.plugins);
  options.names = stage_names();
  options.overrides = arguments.overrides;
  loaded.config = load_config(arguments.config, options);
  for (const std::string& checkpoint : arguments.checkpoints) replace_checkpoint(loaded.config, checkpoint);
  if (arguments.threads > 0) loaded.config.threads = arguments.threads;
  if (progress != nullptr) progress->note("reading checkpoints and planning ...");
  const auto open = [](const CheckpointConfig& checkpoint) {
    OpenOptions open_options;
    open_options.views = checkpoint.views;
    return open_checkpoint(checkpoint.address, open_options);
  };
  loaded.checkpoints = open_checkpoints(loaded.config, open, in_ci());
  loaded.plan = make_plan(loaded.config, loaded.checkpoints);
  return loaded;
}

}  // namespace wcodec
