#include "experiments/report.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "core/error.hpp"
#include "tools/command.hpp"

namespace wcodec {

void add_report(CLI::App& app, Action& action) {
  struct Arguments {
    std::string folder;
    bool json = false, quiet = false;
  };
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("report", "Make plots, Parquet files and report.html of a results folder");
  command->add_option("folder", arguments->folder, "Folder that `wcodec run` wrote")->required()->type_name("DIR");
  command->add_flag("--json", arguments->json, "Print what was written as one JSON object");
  command->add_flag("-q,--quiet", arguments->quiet, "Print nothing when all is well");
  command->footer(
      "Needs Python with the packages of requirements.txt: that of ${WCODEC_PYTHON}, else .venv beside the sources or\n"
      "in the working directory, else python3.\n\n"
      "Example:\n"
      "  wcodec report results/quickstart\n");
  command->callback([arguments, &action] {
    action = [arguments] {
      if (!std::filesystem::exists(arguments->folder + "/summary.csv")) {
        throw Error(ErrorKind::not_found,
                    fmt::format("{} has no summary.csv: it is not a folder that `wcodec run` has finished",
                                printable(arguments->folder)));
      }
      const ReportOutcome outcome = make_report(arguments->folder, arguments->json);
      if (outcome.status != ReportStatus::made) throw Error(ErrorKind::unsupported, outcome.sentence);
      if (!arguments->quiet || arguments->json) std::fputs(outcome.sentence.c_str(), stdout);
      return kAllFine;
    };
  });
}

}  // namespace wcodec
