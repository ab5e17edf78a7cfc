#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "experiments/report.hpp"
#include "experiments/run.hpp"
#include "tools/command.hpp"
#include "tools/comparison_output.hpp"

namespace wcodec {
namespace {

struct Arguments {
  ExperimentArguments experiment;
  std::string out, engine = "local";
  std::vector<std::string> engine_options;  // KEY=VALUE
  bool fresh = false, retry_failed = false, no_report = false, no_expect = false, json = false, quiet = false;
};

std::string how_to_go_on(const RunOutcome& outcome, const std::string& folder) {
  return fmt::format("wcodec: interrupted: {} of {} cells are recorded in {}; run the same command again to go on",
                     outcome.reused + outcome.finished, outcome.cells, printable(folder));
}

nlohmann::json to_json(const RunOutcome& outcome, const ExperimentConfig& config, const std::string& folder) {
  return {{"experiment", config.experiment},
          {"folder", folder},
          {"cells", outcome.cells},
          {"reused", outcome.reused},
          {"finished", outcome.finished},
          {"failed", outcome.failed},
          {"timed", outcome.timed},
          {"timings_failed", outcome.timings_failed},
          {"interrupted", outcome.interrupted},
          {"seconds", outcome.seconds},
          {"headline", outcome.headline}};
}

std::optional<EngineOptions> engine_of(const Arguments& arguments, const std::string& folder) {
  if (arguments.engine == "local") {
    if (!arguments.engine_options.empty()) throw Error(ErrorKind::usage, "--engine-option needs --engine ray or slurm");
    return std::nullopt;
  }
  EngineOptions engine;
  engine.adapter = engine_adapter(arguments.engine);
  // Other machines start the file, not this process; a relative path would mean another one there.
  engine.command = {std::filesystem::read_symlink("/proc/self/exe").string()};
  engine.fragments = std::filesystem::absolute(folder).string() + "/fragments";
  for (const std::string& option : arguments.engine_options) {
    const auto equals = option.find('=');
    if (equals == 0 || equals == std::string::npos) {
      throw Error(ErrorKind::usage, fmt::format("--engine-option {} is not of the form KEY=VALUE", printable(option)));
    }
    engine.own[option.substr(0, equals)] = option.substr(equals + 1);
  }
  for (const std::string& plugin : arguments.experiment.plugins) {
    engine.plugins.push_back(std::filesystem::absolute(plugin).string());
  }
  return engine;
}

int run(const Arguments& arguments) {
  Progress progress(arguments.quiet ? ProgressStyle::quiet : ProgressStyle::automatic);
  const PlannedExperiment loaded = load_experiment(arguments.experiment, &progress);
  for (const std::string& note : loaded.plan.notes) progress.alarm("wcodec: note: " + note);

  RunOptions options;
  options.folder = arguments.out.empty() ? "results/" + loaded.config.experiment : arguments.out;
  options.config_file = arguments.experiment.config;
  options.engine = engine_of(arguments, options.folder);
  options.workers = options.engine ? kWorkersElsewhere : static_cast<unsigned>(loaded.config.threads);
  options.fresh = arguments.fresh;
  options.retry_failed = arguments.retry_failed;
  // The running program itself, even if a build has replaced its file meanwhile.
  options.worker_command = {"/proc/self/exe", "worker", "--memory-mib",
                            std::to_string(loaded.config.limits.memory_mib)};
  for (const std::string& plugin : arguments.experiment.plugins) {
    options.worker_command.insert(options.worker_command.end(), {"--plugin", plugin});
  }
  const RunOutcome outcome = run_experiment(loaded, options, progress);

  nlohmann::json printed = to_json(outcome, loaded.config, options.folder);
  int status = outcome.failed + outcome.timings_failed == 0 ? kAllFine : kSomeFailed;
  if (outcome.interrupted) {
    progress.alarm(how_to_go_on(outcome, options.folder));
    status = kInterrupted;
  } else if (!arguments.no_report) {
    progress.note("making plots and report ...");
    const ReportOutcome report = make_report(options.folder, true);
    if (report.status == ReportStatus::made) {
      printed["report"] = options.folder + "/report.html";
    } else {
      progress.alarm(
          fmt::format("wcodec: note: {}; the numbers are in {}", report.sentence, printable(options.folder)));
      if (report.status == ReportStatus::failed) status = kSomeFailed;
    }
  }
  std::string compared;
  if (!outcome.interrupted && !arguments.no_expect && !loaded.config.expect.empty()) {
    const std::string& expected = loaded.config.expect;
    const ResultsComparison comparison = compare_results(options.folder, expected);
    printed["comparison"] = comparison_json(comparison, options.folder, expected);
    compared = comparison_text(comparison, options.folder, expected);
    if (!comparison.same()) status = kDifferent;
  }
  if (arguments.json) {
    print_line(printed.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    return status;
  }
  if (outcome.interrupted) return status;
  for (const std::string& sentence : outcome.headline) print_line(sentence);
  if (outcome.failed + outcome.timings_failed != 0) {
    print_line(fmt::format("{} of {} cells failed; {}/failures.csv says why.", outcome.failed + outcome.timings_failed,
                           outcome.cells, printable(options.folder)));
  }
  if (!compared.empty()) print_line(compared);
  print_line(fmt::format("Results: {}", printable(printed.value("report", options.folder))));
  return status;
}

}  // namespace

void add_run(CLI::App& app, Action& action) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("run", "Run an experiment, or what is left of it, and write its results");
  arguments->experiment.declare(*command);
  command->add_option("-o,--out", arguments->out, "Folder for the results (default: results/<experiment>)")
      ->type_name("DIR");
  command
      ->add_option("--engine", arguments->engine,
                   "Where cells run: local (processes of this machine), ray or slurm; see docs/scaling.md")
      ->type_name("NAME")
      ->capture_default_str();
  command
      ->add_option("--engine-option", arguments->engine_options,
                   "An option of the engine, e.g. address=auto; repeatable; `python -m wcodec_engines ray --help`")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command->add_flag("--fresh", arguments->fresh, "Forget what earlier runs recorded in the folder");
  command->add_flag("--retry-failed", arguments->retry_failed, "Run cells again that failed in an earlier run");
  command->add_flag("--no-report", arguments->no_report, "Without plots, Parquet files and report.html");
  command->add_flag("--no-expect", arguments->no_expect,
                    "Do not compare with the results that the config's `expect` names");
  command->add_flag("--json", arguments->json, "Print the outcome as one JSON object");
  command->add_flag("-q,--quiet", arguments->quiet, "No progress; only what went wrong");
  command->footer(
      "A run may be interrupted or killed at any moment: the same command goes on where it was, and finished cells "
      "are\n"
      "never run twice. A cell that crashes, hangs or runs out of memory is recorded in failures.csv and the sweep "
      "goes\n"
      "on. Progress goes to standard error, the answer to standard output; results/README.md explains every file.\n\n"
      "Exit status: 0 all fine; 1 some cells failed or a number differs from `expect`, results are written; 2 wrong "
      "usage, config or input;\n"
      "130 interrupted, what was finished is recorded.\n\n"
      "Examples:\n"
      "  wcodec run configs/quickstart.yaml\n"
      "  wcodec run configs/quickstart.yaml --out /tmp/mine --checkpoint minilm=model.safetensors\n"
      "  wcodec run configs/quickstart.yaml --set limits.timeout_s=60 -j 4 --json > outcome.json\n");
  command->callback([arguments, &action] { action = [arguments] { return run(*arguments); }; });
}

}  // namespace wcodec
