// What the subcommands share. Each `add_…` declares one subcommand with its options; parsing sets `action`, and main
// runs it. Includes a heavy header: for .cpp files of tools/ only.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "experiments/run.hpp"

namespace wcodec {

// Exit statuses of the `wcodec` command.
enum ExitStatus : int {
  kAllFine = 0,
  kSomeFailed = 1,  // results are written, but some cells or the report failed
  kDifferent = 1,   // verify: the two sides differ
  kError = 2,       // wrong usage, config or input
  kInterrupted = 130
};

using Action = std::function<int()>;

void add_run(CLI::App& app, Action& action);
void add_plan(CLI::App& app, Action& action);
void add_cell(CLI::App& app, Action& action);
void add_claim(CLI::App& app, Action& action);
void add_independence(CLI::App& app, Action& action);
void add_memory(CLI::App& app, Action& action);
void add_compare(CLI::App& app, Action& action);
void add_verdicts(CLI::App& app, Action& action);
void add_report(CLI::App& app, Action& action);
void add_list(CLI::App& app, Action& action);
void add_stats(CLI::App& app, Action& action);
void add_encode(CLI::App& app, Action& action);
void add_decode(CLI::App& app, Action& action);
void add_verify(CLI::App& app, Action& action);
void add_info(CLI::App& app, Action& action);
void add_devices(CLI::App& app, Action& action);
void add_extract(CLI::App& app, Action& action);
void add_progressive(CLI::App& app, Action& action);

// Hidden subcommand of `run`: see experiments/worker.hpp.
int run_worker(const std::vector<std::string>& arguments);

// The experiment that `plan` and `run` take.
struct ExperimentArguments {
  std::string config;
  std::vector<std::string> checkpoints;  // NAME=PATH
  std::vector<std::string> overrides;    // KEY=VALUE
  std::vector<std::string> plugins;      // shared libraries
  int threads = 0;

  void declare(CLI::App& command);
};

// The experiment as written, with what the command line changes; checkpoints opened and cells planned, which may take
// long: `progress`, if given, says so.
PlannedExperiment load_experiment(const ExperimentArguments& arguments, Progress* progress = nullptr);

// --plugin, of every subcommand that knows stages.
void declare_plugins(CLI::App& command, std::vector<std::string>& plugins);

// One line to standard output; throws Error{io} when it cannot be written, except for a reader that has left.
void print_line(const std::string& line);

}  // namespace wcodec
