#include <memory>

#include "experiments/compare_results.hpp"
#include "tools/command.hpp"
#include "tools/comparison_output.hpp"

namespace wcodec {

void add_compare(CLI::App& app, Action& action) {
  struct Arguments {
    std::string folder, expected;
    CompareOptions options;
    bool json = false;
  };
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("compare", "Does a run repeat the numbers of another one?");
  command->add_option("folder", arguments->folder, "Folder that `wcodec run` wrote")->required()->type_name("RUN");
  command->add_option("expected", arguments->expected, "Folder with the numbers to repeat")
      ->required()
      ->type_name("EXPECTED");
  command
      ->add_option("--tolerance", arguments->options.tolerance,
                   "By which share real numbers may differ; bytes, counts and words must be equal")
      ->type_name("SHARE")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command->add_flag("--json", arguments->json, "Print all differences as one JSON object");
  command->footer(
      "Compares summary.csv and verdicts.csv row by row. Checkpoints that only one folder has are named and left out.\n"
      "A config with a key `expect: FOLDER` is compared by `wcodec run` itself.\n\n"
      "Exit status: 0 the same; 1 different; 2 wrong usage or input.\n\n"
      "Example:\n"
      "  wcodec compare results/study-quick results/study/quick\n");
  command->callback([arguments, &action] {
    action = [arguments] {
      const Arguments& a = *arguments;
      const ResultsComparison comparison = compare_results(a.folder, a.expected, a.options);
      print_line(a.json ? comparison_json(comparison, a.folder, a.expected)
                              .dump(2, ' ', false, nlohmann::json::error_handler_t::replace)
                        : comparison_text(comparison, a.folder, a.expected));
      return comparison.same() ? kAllFine : kDifferent;
    };
  });
}

}  // namespace wcodec
