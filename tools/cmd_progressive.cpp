#include <fmt/format.h>

#include <chrono>
#include <memory>

#include "codec/format_version.hpp"
#include "codec/progressive_file.hpp"
#include "core/error.hpp"
#include "core/sources/describe.hpp"
#include "tools/byte_progress.hpp"
#include "tools/codec_command.hpp"
#include "tools/text_table.hpp"

namespace wcodec {
namespace {

double per(u64 a, u64 b) { return b == 0 ? 0 : static_cast<double>(a) / static_cast<double>(b); }

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - begun_).count(); }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point begun_ = Clock::now();
};

auto progress_of(ByteProgress& progress) {
  return [report = progress.callback()](u64 done, u64 total, sv layer) { return report({done, total, layer}); };
}

struct EncodeArguments {
  std::string source, destination, order = "offset", transform = "identity";
  std::vector<std::string> views;
  bool json = false, quiet = false;
  ProgressiveEncodeOptions options;
};

int encode(EncodeArguments& arguments) {
  ProgressiveEncodeOptions& options = arguments.options;
  options.progressive.order = parse_bit_order(arguments.order);
  options.progressive.transforms = parse_transform_set(arguments.transform);
  options.views = parse_views(arguments.views);
  ByteProgress progress("encoding", arguments.quiet || arguments.json);
  options.progress = progress_of(progress);
  const Stopwatch watch;
  const ProgressiveFileStats stats = encode_progressive_file(arguments.source, arguments.destination, options);
  if (arguments.json) {
    print_line(json_text({{"output", arguments.destination},
                          {"source_bytes", stats.source_bytes},
                          {"file_bytes", stats.file_bytes},
                          {"ratio", per(stats.source_bytes, stats.file_bytes)},
                          {"layers", stats.layers},
                          {"exact_layers", stats.exact_layers},
                          {"planes", stats.planes},
                          {"ledger", ledger_json(stats.ledger)},
                          {"seconds", watch.seconds()}}));
  } else if (!arguments.quiet) {
    print_line(fmt::format("{}: {} layers in up to {} planes, {} of them exact; {} to {} (ratio {:.4f}), {:.2f} s",
                           printable(arguments.destination), stats.layers, stats.planes, stats.exact_layers,
                           bytes_text(stats.source_bytes), bytes_text(stats.file_bytes),
                           per(stats.source_bytes, stats.file_bytes), watch.seconds()));
  }
  return kAllFine;
}

struct DecodeArguments {
  std::string source, destination;
  bool json = false, quiet = false;
  ProgressiveDecodeOptions options;
};

int decode(DecodeArguments& arguments) {
  ByteProgress progress("decoding", arguments.quiet || arguments.json);
  arguments.options.progress = progress_of(progress);
  const Stopwatch watch;
  const std::vector<ProgressiveBound> bounds =
      decode_progressive_file(arguments.source, arguments.destination, arguments.options);
  u64 exact = 0;
  double worst = 0;
  nlohmann::json layers = nlohmann::json::array();
  for (const ProgressiveBound& layer : bounds) {
    exact += layer.bound == 0 ? 1 : 0;
    worst = std::max(worst, layer.value_bound);
    layers.push_back({{"name", layer.name},
                      {"planes", layer.planes},
                      {"all_planes", layer.all_planes},
                      {"bound", layer.bound},
                      {"value_bound", layer.value_bound}});
  }
  if (arguments.json) {
    print_line(json_text({{"output", arguments.destination},
                          {"layers", std::move(layers)},
                          {"exact_layers", exact},
                          {"largest_bound", worst},
                          {"seconds", watch.seconds()}}));
  } else if (!arguments.quiet) {
    print_line(
        fmt::format("{}: {} layers, {} of them exact, no element of the others off by more than {:.6g}; {:.2f} s",
                    printable(arguments.destination), bounds.size(), exact, worst, watch.seconds()));
  }
  return kAllFine;
}

nlohmann::json to_json(const ProgressiveFile& file) {
  nlohmann::json layers = nlohmann::json::array(), prefixes = nlohmann::json::array();
  for (std::size_t i = 0; i < file.layers().size(); ++i) {
    const ProgressiveLayer& layer = file.layers()[i];
    layers.push_back({{"name", layer.name},
                      {"type", std::string(info(layer.dtype).name)},
                      {"shape", layer.shape},
                      {"exact", layer.is_exact},
                      {"head_bytes", layer.head_bytes},
                      {"plane_bytes", layer.plane_bytes},
                      {"planes_here", file.planes_here(i)}});
  }
  for (int p = 0; p <= file.planes(); ++p) prefixes.push_back(file.bytes_for(p));
  return {{"format_version", kFormatVersion}, {"bytes", file.bytes()},    {"whole_bytes", file.whole_bytes()},
          {"planes", file.planes()},          {"prefix_bytes", prefixes}, {"layers", std::move(layers)}};
}

std::string to_text(const ProgressiveFile& file) {
  std::vector<std::vector<std::string>> rows = {{"layer", "type", "shape", "planes", "here", "bytes", "bits/weight"}};
  u64 weights = 0;
  for (std::size_t i = 0; i < file.layers().size(); ++i) {
    const ProgressiveLayer& layer = file.layers()[i];
    u64 bytes = layer.head_bytes;
    for (const u64 plane : layer.plane_bytes) bytes += plane;
    weights += layer.weights();
    rows.push_back({shown_name(layer.name), std::string(info(layer.dtype).name), shape_text(layer.shape),
                    layer.is_exact ? "exact" : fmt::format("{}", layer.plane_bytes.size()),
                    layer.is_exact ? "exact" : fmt::format("{}", file.planes_here(i)), fmt::format("{}", bytes),
                    layer.weights() == 0 ? "-" : fmt::format("{:.4f}", 8 * per(bytes, layer.weights()))});
  }
  std::string out = text_table(rows) + "\n";
  std::vector<std::vector<std::string>> prefixes = {{"planes", "bytes of the file", "bits/weight"}};
  for (int p = 0; p <= file.planes(); ++p)
    prefixes.push_back({fmt::format("{}", p), fmt::format("{}", file.bytes_for(p)),
                        weights == 0 ? "-" : fmt::format("{:.4f}", 8 * per(file.bytes_for(p), weights))});
  return out + text_table(prefixes) +
         fmt::format("\ntotal   {} layers, {} of {} bytes are here\n", file.layers().size(), file.bytes(),
                     file.whole_bytes());
}

void add_encode_planes(CLI::App& group, Action& action) {
  const auto arguments = std::make_shared<EncodeArguments>();
  CLI::App* command = group.add_subcommand("encode", "Write a checkpoint by bit planes");
  command->add_option("source", arguments->source, "The checkpoint, as for `wcodec encode`")
      ->required()
      ->type_name("IN");
  command->add_option("destination", arguments->destination, "The file to write")->required()->type_name("OUT");
  command
      ->add_option(
          "--order", arguments->order,
          "Of integers of at most 8 bits: offset (default), or sign-magnitude: better below 1.6 bits a weight, "
          "coarser above")
      ->type_name("NAME");
  command
      ->add_option(
          "--transform", arguments->transform,
          "Of 8x8 blocks of integers of at most 8 bits: identity (default), dct8, adst8, or probe: each block its "
          "own")
      ->type_name("NAME");
  command->add_option("--preset", arguments->options.preset, "Of tensors that have no planes (default: balanced)")
      ->type_name("NAME");
  command
      ->add_option("--view", arguments->views,
                   "Packed codes of matching tensors are such, e.g. \"*.codes=int4:bias=8\"; repeatable")
      ->type_name("GLOB=SPEC")
      ->allow_extra_args(false);
  command->add_flag("-f,--force", arguments->options.overwrite, "Replace OUT if it exists");
  command->add_flag("--json", arguments->json, "Print one JSON object");
  command->add_flag("-q,--quiet", arguments->quiet, "No progress, and nothing when all is well");
  command->footer(
      std::string("Tensors of two or more dimensions have planes, if their elements have at most 32 bits; all "
                  "others are kept exactly,\nbefore the first plane. The first planes of a float are its sign "
                  "and exponent, each one behind them halves its\nrelative error. Records are held in memory "
                  "until they are written.\n\n") +
      kCodecExit);
  command->callback([arguments, &action] { action = [arguments] { return encode(*arguments); }; });
}

void add_decode_planes(CLI::App& group, Action& action) {
  const auto arguments = std::make_shared<DecodeArguments>();
  CLI::App* command =
      group.add_subcommand("decode", "Write the tensors as safetensors, as good as the planes that are there allow");
  command->add_option("source", arguments->source, "The file, or the beginning of one")->required()->type_name("IN");
  command->add_option("destination", arguments->destination, "The .safetensors file to write")
      ->required()
      ->type_name("OUT");
  command->add_option("--planes", arguments->options.planes, "Use no more than that (default: all that are there)")
      ->type_name("N")
      ->check(CLI::Range(0, kMaxBitPlanes));
  command->add_option("--max-bytes", arguments->options.max_output_bytes, "Refuse to write more than that")
      ->type_name("N");
  command->add_flag("-f,--force", arguments->options.overwrite, "Replace OUT if it exists");
  command->add_flag("--json", arguments->json,
                    "Print one JSON object, with the bounds of each layer: steps of an element, and value");
  command->add_flag("-q,--quiet", arguments->quiet, "No progress, and nothing when all is well");
  command->footer(std::string("With all planes every tensor is as it was. Elements of 4 to 6 bits become bytes.\n\n") +
                  kCodecExit);
  command->callback([arguments, &action] { action = [arguments] { return decode(*arguments); }; });
}

void add_info_planes(CLI::App& group, Action& action) {
  struct Arguments {
    std::string file;
    bool json = false;
  };
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      group.add_subcommand("info", "Show layers, planes, and how many bytes each number of planes takes");
  command->add_option("file", arguments->file, "The file, or the beginning of one")->required()->type_name("FILE");
  command->add_flag("--json", arguments->json, "Print one JSON object");
  command->footer("Reads the index only.\n\nExit status: 0 all fine; 2 wrong usage or input.\n");
  command->callback([arguments, &action] {
    action = [arguments] {
      const ProgressiveFile file = ProgressiveFile::open(arguments->file);
      print_line(arguments->json ? json_text(to_json(file)) : to_text(file));
      return kAllFine;
    };
  });
}

}  // namespace

void add_progressive(CLI::App& app, Action& action) {
  CLI::App* group = app.add_subcommand(
      "progressive", "A checkpoint by bit planes: any beginning of the file decodes, the more of it the better");
  group->require_subcommand(1);
  group->footer(
      "Examples:\n"
      "  wcodec progressive encode model.safetensors model.wcp\n"
      "  wcodec progressive info model.wcp                 # how many bytes 4 planes take\n"
      "  head -c 5000000 model.wcp > some.wcp\n"
      "  wcodec progressive decode some.wcp preview.safetensors --json\n"
      "  wcodec progressive decode model.wcp coarse.safetensors --planes 4\n");
  add_encode_planes(*group, action);
  add_decode_planes(*group, action);
  add_info_planes(*group, action);
}

}  // namespace wcodec
