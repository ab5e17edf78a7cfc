#include <fmt/format.h>

#include <memory>

#include "codec/stages.hpp"
#include "core/error.hpp"
#include "experiments/stage_registries.hpp"
#include "tools/byte_progress.hpp"
#include "tools/codec_command.hpp"

namespace wcodec {
namespace {

struct Arguments {
  std::string source, destination, modes;
  std::vector<std::string> views, plugins;
  bool no_verify = false;
  EncodeOptions options;
  WorkArguments work;
};

int encode(Arguments& arguments) {
  use_plugins(arguments.plugins);
  arguments.options.views = parse_views(arguments.views);
  if (!arguments.modes.empty()) arguments.options.modes = split_modes(arguments.modes);
  ByteProgress progress("encoding", arguments.work.quiet || arguments.work.json);
  arguments.options.threads = arguments.work.threads;
  arguments.options.memory_bytes = arguments.work.memory_bytes();
  arguments.options.verify = !arguments.no_verify;
  arguments.options.progress = progress.callback();
  const CodecStats stats = encode_checkpoint(arguments.source, arguments.destination, arguments.options);
  print_stats(stats, true, arguments.destination, arguments.work);
  return kAllFine;
}

}  // namespace

void add_encode(CLI::App& app, Action& action) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("encode", "Compress a checkpoint, losslessly, into one .wcodec file");
  command
      ->add_option("source", arguments->source,
                   "A .safetensors or .gguf file, an index of shards, a model's directory, pip: or hf://")
      ->required()
      ->type_name("IN");
  command->add_option("destination", arguments->destination, "The .wcodec file to write")->required()->type_name("OUT");
  EncodeOptions& options = arguments->options;
  command
      ->add_option("--preset", options.preset,
                   "ratio: smallest; balanced (default): one table a tensor; speed: fastest to decode")
      ->type_name("NAME");
  command->add_option("--tile", options.tile, "Tile shape (default: chosen for each layer)")->type_name("RxC");
  command->add_option("--modes", arguments->modes, "Candidate predictors, e.g. none+left (default: chosen)")
      ->type_name("MODES");
  command
      ->add_option("--transform", options.transform,
                   "Transform of 8x8 blocks: identity, dct8, adst8, or probe: each block its own (default: identity)")
      ->type_name("NAME");
  command->add_option("--coder", options.coder, "Entropy coder of `wcodec list coders` (default: chosen)")
      ->type_name("SPEC");
  command
      ->add_option("--view", arguments->views,
                   "Packed codes of matching tensors are such, e.g. \"*.codes=int4:bias=8\"; repeatable")
      ->type_name("GLOB=SPEC")
      ->allow_extra_args(false);
  command->add_option("--part-weights", options.part_weights, "Weights that are coded together (default: 4194304)")
      ->type_name("N");
  command->add_option("--name", options.model_name, "A name to keep in the file")->type_name("TEXT");
  command->add_flag("--no-verify", arguments->no_verify, "Do not decode and compare what was encoded");
  command->add_flag("-f,--force", options.overwrite, "Replace OUT if it exists");
  arguments->work.declare(*command);
  declare_plugins(*command, arguments->plugins);
  command->footer(
      std::string("Decoding gives the same files byte for byte: tensors, their order, metadata and padding. Of a "
                  "directory the\ncheckpoint's files are kept (safetensors and their index), not its configuration or "
                  "tokenizer.\n\n") +
      kCodecExit +
      "Examples:\n"
      "  wcodec encode model.safetensors model.wcodec\n"
      "  wcodec encode model-Q4_K_M.gguf model.wcodec --threads 8\n"
      "  wcodec encode packed.safetensors packed.wcodec --view \"*.codes=int4:nibbles=low-first,bias=8\"\n");
  command->callback([arguments, &action] { action = [arguments] { return encode(*arguments); }; });
}

}  // namespace wcodec
