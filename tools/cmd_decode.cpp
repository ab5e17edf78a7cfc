#include <memory>

#include "codec/lossy_checkpoint.hpp"
#include "core/error.hpp"
#include "experiments/stage_registries.hpp"
#include "tools/byte_progress.hpp"
#include "tools/codec_command.hpp"

namespace wcodec {
namespace {

struct Arguments {
  std::string source, destination;
  std::vector<std::string> plugins;
  DecodeOptions options;
  bool as_stored = false;
  WorkArguments work;
};

int decode(Arguments& arguments) {
  use_plugins(arguments.plugins);
  ByteProgress progress("decoding", arguments.work.quiet || arguments.work.json);
  arguments.options.threads = arguments.work.threads;
  arguments.options.memory_bytes = arguments.work.memory_bytes();
  arguments.options.progress = progress.callback();
  const bool restores = !arguments.as_stored && is_lossy_container(arguments.source);
  const std::string& device = arguments.options.device;
  if (restores && !device.empty() && device != "cpu" && device != "auto") {
    throw Error(ErrorKind::usage, "a lossy model is restored on the CPU: leave --device out, or add --as-stored");
  }
  const CodecStats stats =
      (restores ? restore_lossy : decode_checkpoint)(arguments.source, arguments.destination, arguments.options);
  print_stats(stats, false, arguments.destination, arguments.work);
  return kAllFine;
}

}  // namespace

void add_decode(CLI::App& app, Action& action) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("decode", "Write the checkpoint that a .wcodec file holds, byte for byte");
  command->add_option("source", arguments->source, "The .wcodec file")->required()->type_name("IN");
  command
      ->add_option("destination", arguments->destination,
                   "The file to write; for a checkpoint of several files a new directory")
      ->required()
      ->type_name("OUT");
  command->add_option("--max-bytes", arguments->options.max_output_bytes, "Refuse to write more than that")
      ->type_name("N");
  command->add_flag("--as-stored", arguments->as_stored,
                    "Of a lossy model, write the words and exponents that IN holds instead of weights");
  command->add_flag("-f,--force", arguments->options.overwrite, "Replace OUT if it is a file that exists");
  declare_device(*command, arguments->options.device);
  arguments->work.declare(*command);
  declare_plugins(*command, arguments->plugins);
  command->footer(std::string("Every byte of IN is checked; OUT appears only when all of it is right. A lossy model\n"
                              "(wcodec.lossy) comes back as bf16 under its original names.\n\n") +
                  kCodecExit +
                  "Examples:\n"
                  "  wcodec decode model.wcodec model.safetensors\n"
                  "  wcodec decode sharded.wcodec sharded/\n"
                  "  wcodec decode model.wcodec model.safetensors --device auto\n");
  command->callback([arguments, &action] { action = [arguments] { return decode(*arguments); }; });
}

}  // namespace wcodec
