#include <cstdio>
#include <memory>

#include "tools/command.hpp"

namespace wcodec {
namespace {

void print_units(const PlannedExperiment& experiment) {
  const ExperimentConfig& config = experiment.config;
  const auto print = [&](PendingWork work) {
    for (WorkerTask& task : work.tasks) {
      print_line(to_line(make_unit(std::move(task), config.limits.timeout_s, config.limits.memory_mib)));
    }
  };
  print(pending_cells(config, experiment.plan, nullptr, kWorkersElsewhere, false));
  print(pending_timings(config, experiment.plan, nullptr, kTimedMemory));
}

}  // namespace

void add_plan(CLI::App& app, Action& action) {
  struct Arguments {
    ExperimentArguments experiment;
    bool json = false, jsonl = false, units = false;
  };
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("plan", "Show what an experiment would do: cells, bytes, time; runs nothing");
  arguments->experiment.declare(*command);
  CLI::Option* json = command->add_flag("--json", arguments->json, "Print the plan as one JSON object");
  CLI::Option* jsonl =
      command->add_flag("--jsonl", arguments->jsonl, "Print every cell as a line of JSON")->excludes(json);
  command
      ->add_flag("--units", arguments->units,
                 "Print what machines run at a time, as lines of JSON for `wcodec cell`: cells that share a tensor")
      ->excludes(json)
      ->excludes(jsonl);
  command->footer(
      "Examples:\n"
      "  wcodec plan configs/quickstart.yaml\n"
      "  wcodec plan configs/quickstart.yaml --set axes.tile=[8x8,16x16]\n"
      "  wcodec plan configs/quickstart.yaml --jsonl | head -3\n"
      "  wcodec plan configs/quickstart.yaml --units > units.jsonl     then, anywhere: wcodec cell --help\n");
  command->callback([arguments, &action] {
    action = [arguments] {
      const PlannedExperiment loaded = load_experiment(arguments->experiment);
      if (arguments->jsonl) {
        write_cells_jsonl(stdout, loaded.plan, loaded.config);
      } else if (arguments->units) {
        print_units(loaded);
      } else {
        print_line(arguments->json ? plan_json(loaded.plan, loaded.config) : describe_plan(loaded.plan, loaded.config));
      }
      return kAllFine;
    };
  });
}

}  // namespace wcodec
