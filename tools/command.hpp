// What the subcommands share. Each `add_…` declares one subcommand with its options; parsing sets `action`, and main
// runs it. Includes a heavy header: for .cpp files of tools/ only.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "experiments/config.hpp"
#include "experiments/plan.hpp"

namespace wcodec {

// Exit statuses of the `wcodec` command.
enum ExitStatus : int {
  kAllFine = 0,
  kSomeFailed = 1,  // results are written, but some cells or the report failed
  kError = 2,       // wrong usage, config or input
  kInterrupted = 130
};

using Action = std::function<int()>;

void add_run(CLI::App& app, Action& action);
void add_plan(CLI::App& app, Action& action);
void add_report(CLI::App& app, Action& action);
void add_list(CLI::App& app, Action& action);
void add_stats(CLI::App& app, Action& action);

// Hidden subcommand of `run`: see experiments/worker.hpp.
int run_worker(const std::vector<std::string>& arguments);

// The experiment that `plan` and `run` take.
struct ExperimentArguments {
  std::string config;
  std::vector<std::string> checkpoints;  // NAME=PATH
  std::vector<std::string> overrides;    // KEY=VALUE
  int threads = 0;

  void declare(CLI::App& command);
};

struct LoadedExperiment {
  ExperimentConfig config;
  std::vector<OpenedCheckpoint> checkpoints;
  Plan plan;
};
// `config` as written, with what the command line changes; checkpoints opened and cells planned.
LoadedExperiment load_experiment(const ExperimentArguments& arguments);

// One line to standard output; throws Error{io} when it cannot be written, except for a reader that has left.
void print_line(const std::string& line);

}  // namespace wcodec
