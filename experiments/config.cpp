#include "experiments/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <thread>

#include "core/error.hpp"
#include "experiments/config_reader.hpp"
#include "experiments/reference.hpp"

namespace wcodec {
namespace {

constexpr int kMaxExtends = 8;  // also what ends a circle
constexpr i64 kMaxCells = 100'000'000;

std::vector<std::string> read_globs(const yaml::Field& field) {
  std::vector<std::string> globs;
  for (const yaml::Field& item : field.list_or_one()) globs.push_back(item.text());
  std::sort(globs.begin(), globs.end());
  globs.erase(std::unique(globs.begin(), globs.end()), globs.end());
  return globs;
}

TensorFilter read_tensors(const yaml::Field& field) {
  static constexpr sv kKeys[] = {"include", "exclude", "kinds", "min_dim", "max_weights", "limit"};
  constexpr i64 kMax = i64{1} << 53;
  field.check_keys(kKeys);
  TensorFilter filter;
  if (const auto include = field.find("include")) {
    include->nonempty();
    filter.include = read_globs(*include);
  }
  if (const auto exclude = field.find("exclude")) filter.exclude = read_globs(*exclude);
  if (const auto kinds = field.find("kinds")) filter.kinds = read_globs(*kinds);
  if (const auto min_dim = field.find("min_dim")) filter.min_dim = min_dim->integer(1, kMax);
  if (const auto most = field.find("max_weights")) filter.max_weights = static_cast<u64>(most->integer(0, kMax));
  if (const auto limit = field.find("limit")) filter.limit = static_cast<u64>(limit->integer(0, kMax));
  return filter;
}

void read_measure(const yaml::Field& field, const StageNames& names, ExperimentConfig& config) {
  static constexpr sv kKeys[] = {"bytes", "timing", "device"};
  field.check_keys(kKeys);
  if (const auto bytes = field.find("bytes")) {
    static constexpr sv kKnown[] = {"encoded", "entropy"};
    if (bytes->choice(kKnown) == "entropy") {
      bytes->fail("'entropy' is reserved: every cell is encoded, and its entropies are reported beside its bytes");
    }
  }
  if (const auto timing = field.find("timing")) {
    static constexpr sv kTimingKeys[] = {"repeats", "warmup", "only"};
    timing->check_keys(kTimingKeys);
    TimingConfig parsed;
    if (const auto repeats = timing->find("repeats")) parsed.repeats = static_cast<int>(repeats->integer(1, 10'000));
    if (const auto warmup = timing->find("warmup")) parsed.warmup = static_cast<int>(warmup->integer(0, 10'000));
    if (const auto only = timing->find("only")) parsed.only = read_conditions(*only, names, config);
    config.timing = std::move(parsed);
  }
}

// What the other values of the factor are compared with: one that is measured.
std::string read_reference(const yaml::Field& against, Axis axis, const StageNames& names,
                           const ExperimentConfig& config) {
  const std::vector<std::string>& measured = config.axis(axis);
  std::string reference;
  if (axis == Axis::modes) {
    reference = read_modes(against, names);
  } else {
    const std::function<std::string(sv)> canonical_reference = [](sv text) { return to_string(parse_reference(text)); };
    const auto& canonical = axis == Axis::quantizer   ? names.quantizer
                            : axis == Axis::order     ? names.order
                            : axis == Axis::approx    ? names.approx
                            : axis == Axis::tile      ? names.tile
                            : axis == Axis::transform ? names.transform
                            : axis == Axis::reference ? canonical_reference
                                                      : names.coder;
    const std::vector<yaml::Field> given = against.nonempty();
    if (given.size() != 1) against.fail("name one value to compare the others with");
    const bool is_spec = axis != Axis::device;
    reference = is_spec ? read_spec(given.front(), canonical) : given.front().text();
  }
  if (std::find(measured.begin(), measured.end(), reference) == measured.end()) {
    against.fail(fmt::format("'{}' is not one of axes.{}, so it is not measured", reference,
                             kAxisNames[static_cast<std::size_t>(axis)]));
  }
  return reference;
}

Comparison read_comparison(const yaml::Field& field, const StageNames& names, const ExperimentConfig& config) {
  static constexpr sv kKeys[] = {"factor", "against", "statistic", "margin"};
  static constexpr sv kStatistics[] = {"bpw", "bits_per_weight", "bpw_symbols"};
  field.check_keys(kKeys);
  Comparison comparison{.against = {}};
  if (const auto factor = field.find("factor")) comparison.factor = factor->choice(kAxisNames);
  const auto axis =
      static_cast<Axis>(std::find(kAxisNames.begin(), kAxisNames.end(), comparison.factor) - kAxisNames.begin());
  comparison.against = read_reference(field.require("against"), axis, names, config);
  if (const auto statistic = field.find("statistic")) comparison.statistic = statistic->choice(kStatistics);
  if (comparison.statistic == "bits_per_weight") comparison.statistic = "bpw";
  if (const auto margin = field.find("margin")) comparison.margin = margin->real(0, 64);
  return comparison;
}

LimitConfig read_limits(const yaml::Field& field) {
  static constexpr sv kKeys[] = {"timeout_s", "memory_mib", "max_cells"};
  field.check_keys(kKeys);
  LimitConfig limits;
  if (const auto timeout = field.find("timeout_s")) limits.timeout_s = timeout->real(0.001, 1e7);
  if (const auto memory = field.find("memory_mib")) {
    limits.memory_mib = static_cast<u64>(memory->integer(0, i64{1} << 30));
  }
  if (const auto cells = field.find("max_cells")) limits.max_cells = static_cast<u64>(cells->integer(1, kMaxCells));
  return limits;
}

std::map<std::string, std::string> identities(const std::vector<std::string>& specs,
                                              const std::function<std::string(const std::string&)>& identity) {
  std::map<std::string, std::string> out;
  for (const std::string& spec : specs) out[spec] = identity ? identity(spec) : std::string();
  return out;
}

void check_grid_size(const yaml::Field& axes, const ExperimentConfig& config) {
  const u64 size = grid_size(config);
  if (size <= config.limits.max_cells) return;
  axes.fail(fmt::format("{}{} cells for each tensor ({}), more than limits.max_cells = {}; shorten an axis or raise it",
                        size == ~u64{0} ? "over " : "", size, describe_grid(config), config.limits.max_cells));
}

ExperimentConfig read_experiment(const yaml::Field& root, const std::filesystem::path& folder,
                                 const LoadOptions& options) {
  static constexpr sv kKeys[] = {"experiment", "extends",  "question",    "checkpoints", "tensors",
                                 "views",      "controls", "axes",        "zip",         "where",
                                 "baselines",  "measure",  "compare",     "limits",      "baseline_controls",
                                 "seed",       "threads",  "diagnostics", "expect"};
  root.check_keys(kKeys);
  const StageNames& names = options.names;
  ExperimentConfig config;
  config.experiment = read_name(root.require("experiment"));
  if (const auto question = root.find("question")) config.question = question->text();
  if (const auto limits = root.find("limits")) config.limits = read_limits(*limits);

  std::map<std::string, std::string> views;
  if (const auto given = root.find("views")) views = read_views(*given);
  const PathResolver paths(folder, options);
  config.checkpoints = read_checkpoints(root.require("checkpoints"), views, paths);
  if (const auto expect = root.find("expect")) config.expect = paths.resolve(*expect);
  if (const auto tensors = root.find("tensors")) config.tensors = read_tensors(*tensors);
  if (const auto controls = root.find("controls")) config.controls = read_controls(*controls);

  config.axes[static_cast<std::size_t>(Axis::order)] = {"identity"};
  config.axes[static_cast<std::size_t>(Axis::approx)] = {"none"};
  config.axes[static_cast<std::size_t>(Axis::transform)] = {"identity"};
  config.axes[static_cast<std::size_t>(Axis::reference)] = {"none"};
  // What axes.device does not say.
  config.axes[static_cast<std::size_t>(Axis::device)] = {"cpu"};
  if (const auto measure = root.find("measure"); measure && measure->node().kind == yaml::Kind::map) {
    if (const auto device = measure->find("device"))
      config.axes[static_cast<std::size_t>(Axis::device)] = {read_device(*device)};
  }
  const yaml::Field axes = root.require("axes");
  read_axes(axes, names, config);
  if (const auto zip = root.find("zip")) read_zip(*zip, config);
  if (const auto baselines = root.find("baselines")) config.baselines = read_baselines(*baselines, names);
  config.modes_identities = identities(config.axis(Axis::modes), names.modes_identity);
  config.coder_identities = identities(config.axis(Axis::coder), names.coder_identity);
  config.baseline_identities = identities(config.baselines, names.baseline_identity);
  if (names.baseline_device) config.baseline_devices = identities(config.baselines, names.baseline_device);
  if (const auto controls = root.find("baseline_controls")) config.baseline_controls = read_controls(*controls);
  check_grid_size(axes, config);
  if (const auto where = root.find("where")) config.where = read_where(*where, names, config);

  if (const auto measure = root.find("measure")) read_measure(*measure, names, config);
  if (const auto compare = root.find("compare")) {
    for (const yaml::Field& item : compare->list_or_one()) {
      config.compare.push_back(read_comparison(item, names, config));
    }
  } else if (const auto& modes = config.axis(Axis::modes);
             modes.size() > 1 && std::find(modes.begin(), modes.end(), "none") != modes.end()) {
    config.compare.push_back({.against = "none"});
  }
  if (const auto seed = root.find("seed")) {
    config.seed = static_cast<u64>(seed->integer(0, std::numeric_limits<i64>::max()));
  }
  config.threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  if (const auto threads = root.find("threads")) config.threads = static_cast<int>(threads->integer(1, 1024));
  if (const auto diagnostics = root.find("diagnostics")) config.diagnostics = diagnostics->flag();
  return config;
}

std::string read_text(const std::filesystem::path& file) {
  if (std::filesystem::is_directory(file)) {
    throw Error(ErrorKind::io, fmt::format("{} is a folder, not an experiment file", printable(file.string())));
  }
  std::ifstream stream(file, std::ios::binary);
  if (!stream)
    throw Error(ErrorKind::not_found, fmt::format("cannot open the experiment {}", printable(file.string())));
  std::string text(yaml::kMaxBytes + 1, '\0');  // one byte more than is accepted
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad()) throw Error(ErrorKind::io, fmt::format("cannot read {}", printable(file.string())));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  return text;
}

yaml::NodePtr with_bases(yaml::NodePtr root, const std::filesystem::path& folder, int depth) {
  if (root->kind != yaml::Kind::map || root->find("extends") == nullptr) return root;
  const yaml::Field extends = *yaml::Field(root).find("extends");
  if (depth == kMaxExtends)
    extends.fail(fmt::format("more than {} files extend each other, or they form a circle", depth));
  const std::filesystem::path file = folder / extends.text();
  std::string text;
  try {
    text = read_text(file);
  } catch (const Error& error) {
    extends.fail(error.what());
  }
  const auto base = with_bases(yaml::parse(printable(file.string()), std::move(text)), file.parent_path(), depth + 1);
  return yaml::overlay(base, root);
}

yaml::NodePtr with_overrides(yaml::NodePtr root, const std::vector<std::string>& overrides) {
  for (const std::string& text : overrides) {
    const auto equals = text.find('=');
    if (equals == std::string::npos) {
      throw Error(ErrorKind::usage,
                  fmt::format("override '{}' is not KEY=VALUE, e.g. axes.tile=[16x16]", printable(text)));
    }
    const std::string path = text.substr(0, equals);
    if (path == "extends") throw Error(ErrorKind::usage, "'extends' cannot be overridden: name the other file instead");
    root = yaml::replaced(root, path, yaml::parse("--set " + printable(path), text.substr(equals + 1)));
  }
  return root;
}

}  // namespace

ExperimentConfig parse_config(const std::string& text, const std::string& name, const std::filesystem::path& folder,
                              const LoadOptions& options) {
  yaml::NodePtr root = with_bases(yaml::parse(name, text), folder, 0);
  root = with_overrides(std::move(root), options.overrides);
  return read_experiment(yaml::Field(root), folder, options);
}

ExperimentConfig load_config(const std::filesystem::path& file, const LoadOptions& options) {
  return parse_config(read_text(file), printable(file.string()), file.parent_path(), options);
}

}  // namespace wcodec
