// The `wcodec` command: parses, hands over to a subcommand, and turns every exception into one sentence.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <new>

#include "core/error.hpp"
#include "core/spec.hpp"
#include "tools/command.hpp"

namespace wcodec {

void print_line(const std::string& line) {
  std::fputs(line.c_str(), stdout);
  if (line.empty() || line.back() != '\n') std::fputc('\n', stdout);
  if (std::fflush(stdout) != 0 && errno != EPIPE) {
    throw Error(ErrorKind::io, fmt::format("standard output cannot be written ({})", std::strerror(errno)));
  }
}

namespace {

constexpr const char* kFooter =
    "Start here:\n"
    "  wcodec plan configs/quickstart.yaml     what would be measured, and how long it takes\n"
    "  wcodec run configs/quickstart.yaml      measure it, and print the verdict\n"
    "  wcodec list                             every quantizer, predictor, coder and baseline with its options\n"
    "  wcodec stats model.safetensors          what the weights of a file look like\n"
    "  wcodec encode model.safetensors model.wcodec     compress a checkpoint; decode gives the same bytes back\n"
    "  wcodec run --help                       options of a subcommand\n\n"
    "Exit status: 0 all fine; 1 some cells failed, results are written, or (verify) the two sides differ;\n"
    "2 wrong usage, config or input; 130 interrupted.";

int fail(const std::string& sentence) {
  std::fputs(fmt::format("wcodec: error: {}\n", sentence).c_str(), stderr);
  return kError;
}

// A first word that is no subcommand: CLI11 would speak of "extra arguments".
void check_subcommand(const CLI::App& app, const char* word) {
  if (word[0] == '-') return;
  static std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  if (std::find(names.begin(), names.end(), word) != names.end()) return;
  throw Error(ErrorKind::usage, unknown_name("command", word, std::vector<sv>(names.begin(), names.end())));
}

std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  while (!text.empty() && (text.back() == ' ' || text.back() == '.')) text.pop_back();
  return printable(text);
}

int parse_and_run(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "worker") == 0) return run_worker({argv + 2, argv + argc});
  CLI::App app(
      "wcodec measures whether prediction helps to compress the weights of language models, and compresses them.",
      "wcodec");
  Action action;
  app.set_version_flag("-V,--version", "wcodec " WCODEC_VERSION);
  app.require_subcommand(1);
  app.footer(kFooter);
  app.get_formatter()->column_width(34);
  add_plan(app, action);
  add_run(app, action);
  add_cell(app, action);
  add_claim(app, action);
  add_memory(app, action);
  add_independence(app, action);
  add_compare(app, action);
  add_verdicts(app, action);
  add_report(app, action);
  add_list(app, action);
  add_stats(app, action);
  add_encode(app, action);
  add_decode(app, action);
  add_verify(app, action);
  add_info(app, action);
  add_extract(app, action);
  add_devices(app, action);
  add_progressive(app, action);
  if (argc > 1) check_subcommand(app, argv[1]);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    const auto chosen = app.get_subcommands();
    throw Error(ErrorKind::usage, fmt::format("{} (see wcodec {}--help)", one_line(error.what()),
                                              chosen.empty() ? std::string() : chosen.front()->get_name() + " "));
  }
  return action();
}

}  // namespace
}  // namespace wcodec

int main(int argc, char** argv) {
  using wcodec::fail;
  // A reader that leaves (`| head`) is no reason to die in the middle of writing.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return wcodec::parse_and_run(argc, argv);
  } catch (const wcodec::Error& error) {
    fail(error.what());
    return error.kind() == wcodec::ErrorKind::cancelled ? wcodec::kInterrupted : wcodec::kError;
  } catch (const std::bad_alloc&) {
    return fail("out of memory");
  } catch (const std::exception& error) {
    return fail(wcodec::one_line(error.what()));
  }
}
