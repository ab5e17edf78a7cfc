#include <cstdio>
#include <memory>

#include "tools/command.hpp"

namespace wcodec {

void add_plan(CLI::App& app, Action& action) {
  struct Arguments {
    ExperimentArguments experiment;
    bool json = false, jsonl = false;
  };
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("plan", "Show what an experiment would do: cells, bytes, time; runs nothing");
  arguments->experiment.declare(*command);
  CLI::Option* json = command->add_flag("--json", arguments->json, "Print the plan as one JSON object");
  command->add_flag("--jsonl", arguments->jsonl, "Print every cell as a line of JSON")->excludes(json);
  command->footer(
      "Examples:\n"
      "  wcodec plan configs/quickstart.yaml\n"
      "  wcodec plan configs/quickstart.yaml --set axes.tile=[8x8,16x16]\n"
      "  wcodec plan configs/quickstart.yaml --jsonl | head -3\n");
  command->callback([arguments, &action] {
    action = [arguments] {
      const PlannedExperiment loaded = load_experiment(arguments->experiment);
      if (arguments->jsonl) {
        write_cells_jsonl(stdout, loaded.plan, loaded.config);
      } else {
        print_line(arguments->json ? plan_json(loaded.plan, loaded.config) : describe_plan(loaded.plan, loaded.config));
      }
      return kAllFine;
    };
  });
}

}  // namespace wcodec
