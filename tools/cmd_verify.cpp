#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "core/error.hpp"
#include "core/sources/describe.hpp"
#include "experiments/stage_registries.hpp"
#include "tools/byte_progress.hpp"
#include "tools/codec_command.hpp"

namespace wcodec {
namespace {

struct Arguments {
  std::string a, b;
  std::vector<std::string> plugins;
  VerifyOptions options;
  WorkArguments work;
};

std::string verdict(const TensorComparison& tensor) {
  if (!tensor.problem.empty()) return tensor.problem;
  if (tensor.different == 0) return tensor.max_difference == 0 ? "equal" : "within tolerance";
  return fmt::format("{} weights differ", tensor.different);
}

nlohmann::json to_json(const VerifyReport& report) {
  nlohmann::json rows = nlohmann::json::array();
  for (const TensorComparison& tensor : report.tensors) {
    nlohmann::json row = {
        {"name", tensor.name}, {"weights", tensor.weights}, {"equal", tensor.equal()}, {"different", tensor.different}};
    // JSON has no infinity.
    if (tensor.max_difference <= 1e308) row["max_difference"] = tensor.max_difference;
    if (!tensor.problem.empty()) row["problem"] = tensor.problem;
    rows.push_back(std::move(row));
  }
  nlohmann::json out = {{"equal", report.equal()},
                        {"weights", report.weights},
                        {"seconds", report.seconds},
                        {"tensors", std::move(rows)}};
  put_device(out, report.device, report.gpu_records, report.cpu_records, report.note);
  return out;
}

std::string to_text(const VerifyReport& report) {
  std::size_t width = 6;
  for (const TensorComparison& tensor : report.tensors) width = std::max(width, shown_name(tensor.name).size());
  std::string out = fmt::format("{:<{}}  {:>12}  {:>10}  {}\n", "tensor", width, "weights", "largest", "result");
  std::size_t equal = 0;
  for (const TensorComparison& tensor : report.tensors) {
    out += fmt::format("{:<{}}  {:>12}  {:>10.3g}  {}\n", shown_name(tensor.name), width, tensor.weights,
                       tensor.max_difference, verdict(tensor));
    equal += tensor.equal() ? 1 : 0;
  }
  return out + fmt::format("{} of {} tensors are equal: {}\n", equal, report.tensors.size(),
                           report.equal() ? "the two sides agree" : "THE TWO SIDES DIFFER");
}

// One side only: is the container whole?
int check(const Arguments& arguments) {
  CodecStats stats;
  {
    ByteProgress progress("checking", arguments.work.quiet || arguments.work.json);
    DecodeOptions options;
    options.device = arguments.options.device;
    options.threads = arguments.work.threads;
    options.memory_bytes = arguments.work.memory_bytes();
    options.progress = progress.callback();
    stats = check_container(arguments.a, options);
  }
  print_stats(stats, false, arguments.a, arguments.work);
  return kAllFine;
}

int verify(Arguments& arguments) {
  use_plugins(arguments.plugins);
  if (arguments.b.empty()) return check(arguments);
  VerifyReport report;
  {
    ByteProgress progress("comparing", arguments.work.quiet || arguments.work.json);
    arguments.options.threads = arguments.work.threads;
    arguments.options.memory_bytes = arguments.work.memory_bytes();
    arguments.options.progress = progress.callback();
    report = verify_checkpoints(arguments.a, arguments.b, arguments.options);
  }
  print_note(report.note, arguments.work);
  if (arguments.work.json) {
    print_line(json_text(to_json(report)));
  } else if (!arguments.work.quiet || !report.equal()) {
    print_line(to_text(report));
  }
  return report.equal() ? kAllFine : kDifferent;
}

}  // namespace

void add_verify(CLI::App& app, Action& action) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand(
      "verify", "Compare two checkpoints, compressed or not, or check that one .wcodec file is whole");
  command->add_option("a", arguments->a, "A .wcodec file, or any source of `wcodec list`")->required()->type_name("A");
  command
      ->add_option("b", arguments->b, "Likewise; without it, every byte of the .wcodec file A is decoded and checked")
      ->type_name("B");
  command
      ->add_option("--atol", arguments->options.atol,
                   "Largest absolute difference that counts as equal (default: 0, bit for bit)")
      ->type_name("X");
  declare_device(*command, arguments->options.device);
  arguments->work.declare(*command);
  declare_plugins(*command, arguments->plugins);
  command->footer(
      "Tensors are paired by name. With --atol, types may differ: values are compared.\n\n"
      "Exit status: 0 the two sides agree; 1 they differ; 2 wrong usage or input; 130 interrupted.\n\n"
      "Examples:\n"
      "  wcodec verify model.safetensors model.wcodec\n"
      "  wcodec verify model.wcodec\n"
      "  wcodec verify model-f32.safetensors model-bf16.wcodec --atol 0.01 --json\n");
  command->callback([arguments, &action] { action = [arguments] { return verify(*arguments); }; });
}

}  // namespace wcodec
