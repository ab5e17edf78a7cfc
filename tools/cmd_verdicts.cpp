#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "experiments/rejudge.hpp"
#include "experiments/stage_registries.hpp"
#include "tools/command.hpp"

namespace wcodec {

void add_verdicts(CLI::App& app, Action& action) {
  struct Arguments {
    ExperimentArguments experiment;
    std::string folder;
    bool json = false;
  };
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("verdicts", "Judge measured results anew, without measuring");
  command->add_option("config", arguments->experiment.config, "The experiment that the folder's numbers belong to")
      ->required()
      ->type_name("CONFIG");
  command->add_option("-o,--out", arguments->folder, "Folder with the results (default: results/<experiment>)")
      ->type_name("DIR");
  command
      ->add_option("--set", arguments->experiment.overrides,
                   "Lay a YAML value over a key of the config, e.g. --set compare.margin=0.02; repeatable")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  declare_plugins(*command, arguments->experiment.plugins);
  command->add_flag("--json", arguments->json, "Print the answer as one JSON object");
  command->footer(
      "Reads summary.csv and writes verdicts.csv and the tables `verdicts` and `verdict-kinds`: after a change of the\n"
      "margin, of what is compared, or of the statistics themselves.\n\n"
      "Example:\n"
      "  wcodec verdicts configs/shared.yaml --set compare.margin=0.02 --out results/shared\n");
  command->callback([arguments, &action] {
    action = [arguments] {
      use_plugins(arguments->experiment.plugins);
      LoadOptions options;
      options.names = stage_names();
      options.overrides = arguments->experiment.overrides;
      const ExperimentConfig config = load_config(arguments->experiment.config, options);
      const std::string folder = arguments->folder.empty() ? "results/" + config.experiment : arguments->folder;
      const std::vector<VerdictRow> verdicts = rejudge(folder, config);
      const std::vector<std::string> sentences = headline(verdicts);
      if (arguments->json) {
        const nlohmann::json out = {{"folder", folder}, {"comparisons", verdicts.size()}, {"headline", sentences}};
        print_line(out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
      } else {
        for (const std::string& sentence : sentences) print_line(sentence);
      }
      return kAllFine;
    };
  });
}

}  // namespace wcodec
