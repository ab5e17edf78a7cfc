#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "core/error.hpp"
#include "experiments/work_unit.hpp"
#include "tools/command.hpp"

namespace wcodec {
namespace {

struct Arguments {
  std::vector<std::string> hashes, plugins;
  std::string units, out;
  bool json = false;
};

// The units that were asked for, by their names or by cells of theirs; of the latter those cells only.
std::vector<WorkUnit> chosen(std::istream& in, const std::string& from, const std::vector<std::string>& hashes) {
  std::unordered_set<std::string> wanted(hashes.begin(), hashes.end()), met;
  std::vector<WorkUnit> units;
  u64 number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.empty()) continue;
    WorkUnit unit;
    try {
      unit = unit_from_line(line);
    } catch (const Error& error) {
      throw Error(error.kind(), fmt::format("{}:{}: {}", printable(from), number, error.what()));
    }
    if (wanted.empty() || wanted.contains(unit.name)) {
      met.insert(unit.name);
      units.push_back(std::move(unit));
      continue;
    }
    std::erase_if(unit.task.cells, [&](const Cell& cell) {
      const bool asked = wanted.contains(cell.hash);
      if (asked) met.insert(cell.hash);
      return !asked;
    });
    if (!unit.task.cells.empty()) units.push_back(std::move(unit));
  }
  for (const std::string& hash : hashes) {
    if (!met.contains(hash)) {
      throw Error(ErrorKind::usage,
                  fmt::format("{} has no cell and no unit {}; `wcodec plan CONFIG --units` prints them",
                              printable(from), printable(hash)));
    }
  }
  return units;
}

int run(const Arguments& arguments) {
  std::ifstream file;
  const bool piped = arguments.units == "-";
  if (!piped) {
    file.open(arguments.units);
    if (!file) throw Error(ErrorKind::not_found, fmt::format("{} cannot be read", printable(arguments.units)));
  }
  const std::vector<WorkUnit> units =
      chosen(piped ? std::cin : file, piped ? "standard input" : arguments.units, arguments.hashes);
  UnitOutcome sum;
  for (const WorkUnit& unit : units) {
    std::vector<std::string> command = {"/proc/self/exe", "worker", "--memory-mib", std::to_string(unit.memory_mib)};
    for (const std::string& plugin : arguments.plugins) command.insert(command.end(), {"--plugin", plugin});
    const UnitOutcome outcome = run_unit(unit, arguments.out, command);
    sum.reused += outcome.reused;
    sum.finished += outcome.finished;
    sum.failed += outcome.failed;
  }
  if (arguments.json) {
    print_line(nlohmann::json{{"units", units.size()},
                              {"reused", sum.reused},
                              {"finished", sum.finished},
                              {"failed", sum.failed},
                              {"fragment", arguments.out}}
                   .dump());
  } else {
    print_line(fmt::format("{} cells finished, {} failed, {} were there already: {}", sum.finished, sum.failed,
                           sum.reused, printable(arguments.out)));
  }
  return sum.failed == 0 ? kAllFine : kSomeFailed;
}

}  // namespace

void add_cell(CLI::App& app, Action& action) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("cell", "Run cells of a plan into a fragment of its ledger, on any machine");
  command->add_option("hash", arguments->hashes, "Cells, or units, by their hashes (default: all of --units)")
      ->type_name("HASH");
  command->add_option("--units", arguments->units, "Lines of `wcodec plan --units`, or - for standard input")
      ->required()
      ->type_name("FILE");
  command->add_option("-o,--out", arguments->out, "Fragment to write or to go on with")->required()->type_name("FILE");
  command->add_flag("--json", arguments->json, "Print the outcome as one JSON object");
  declare_plugins(*command, arguments->plugins);
  command->footer(
      "What schedulers call: `wcodec run --engine ray|slurm` does so through its adapters, and any other scheduler "
      "can. "
      "A\n"
      "cell that the fragment has is not run again, so the call may be repeated, also after it was killed. A fragment "
      "has\n"
      "one writer; put those of many machines into results/NAME/fragments as *.fragment, and the next\n"
      "`wcodec run CONFIG --engine …` takes them into the ledger.\n\n"
      "Exit status: 0 all fine; 1 some cells failed, which the fragment says; 2 wrong usage or input.\n\n"
      "Examples:\n"
      "  wcodec plan configs/quickstart.yaml --units > units.jsonl\n"
      "  wcodec cell 99b5c6d9a913cda1be237b5f7bb8b477 --units units.jsonl --out mine.fragment\n");
  command->callback([arguments, &action] { action = [arguments] { return run(*arguments); }; });
}

}  // namespace wcodec
