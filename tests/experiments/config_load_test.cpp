// Files, `extends`, overrides, variables in paths, and the canonical text with its hash.
#include <fstream>
#include <random>

#include "tests/experiments/config_testing.hpp"

namespace wcodec {
namespace {

namespace fs = std::filesystem;
using testing::edited;
using ::testing::ElementsAre;
using testing::error_of;
using testing::fake_options;
using ::testing::HasSubstr;
using testing::kSmall;
using testing::parse;
using ::testing::StartsWith;

class ConfigFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) / ("config-" + std::to_string(std::random_device{}()));
    fs::create_directories(folder_ / "configs" / "deep");
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }
  fs::path folder_;
};

TEST_F(ConfigFiles, RelativePathsCountFromTheFolderAboveConfigs) {
  const std::string expected = (folder_ / "a.safetensors").string();
  EXPECT_EQ(load_config(write("configs/x.yaml", kSmall), fake_options()).checkpoints[0].address, expected);
  EXPECT_EQ(load_config(write("configs/deep/x.yaml", kSmall), fake_options()).checkpoints[0].address, expected);
  EXPECT_EQ(load_config(write("x.yaml", kSmall), fake_options()).checkpoints[0].address, expected);
}

TEST_F(ConfigFiles, AbsentFilesAndFoldersAreSaid) {
  EXPECT_THAT(error_of([&] { load_config(folder_ / "no.yaml", fake_options()); }, ErrorKind::not_found),
              HasSubstr("cannot open the experiment"));
  EXPECT_THAT(error_of([&] { load_config(folder_, fake_options()); }, ErrorKind::io), HasSubstr("is a folder"));
  const auto large = write("large.yaml", std::string(2 << 20, ' '));
  EXPECT_THAT(error_of([&] { load_config(large, fake_options()); }), HasSubstr("larger than 1048576 bytes"));
}

TEST_F(ConfigFiles, ExtendsLaysAFileOverAnother) {
  write("configs/base.yaml", kSmall);
  const auto file = write("configs/x.yaml", "extends: base.yaml\nexperiment: other\naxes: {tile: [64x64]}\n");
  const ExperimentConfig config = load_config(file, fake_options());
  EXPECT_EQ(config.experiment, "other");
  EXPECT_THAT(config.axis(Axis::tile), ElementsAre("64x64"));
  EXPECT_THAT(config.axis(Axis::coder), ElementsAre("rans"));
  const auto wrong = write("configs/y.yaml", "extends: base.yaml\naxes: {tile: [64x]}\n");
  EXPECT_THAT(error_of([&] { load_config(wrong, fake_options()); }), HasSubstr("y.yaml:2:15: key 'axes.tile[0]'"));
  write("configs/base.yaml", edited(kSmall, "int8", "int9"));
  EXPECT_THAT(error_of([&] { load_config(file, fake_options()); }), HasSubstr("base.yaml:5:15: "));
}

TEST_F(ConfigFiles, ExtendsInACircleOrOfNothingIsRefused) {
  write("configs/a.yaml", "extends: b.yaml\n");
  const auto file = write("configs/b.yaml", "extends: a.yaml\n");
  EXPECT_THAT(error_of([&] { load_config(file, fake_options()); }), HasSubstr("form a circle"));
  const auto lost = write("configs/c.yaml", "experiment: c\nextends: none.yaml\n");
  EXPECT_THAT(error_of([&] { load_config(lost, fake_options()); }),
              HasSubstr("c.yaml:2:10: key 'extends': cannot open"));
}

TEST(ConfigOverrides, ReplaceValuesByKeyPath) {
  LoadOptions options = fake_options();
  options.overrides = {"axes.tile=[64x64, 8x8]", "limits.timeout_s=2", "tensors.min_dim=8", "experiment=renamed"};
  const ExperimentConfig config = parse(kSmall, options);
  EXPECT_THAT(config.axis(Axis::tile), ElementsAre("64x64", "8x8"));
  EXPECT_EQ(config.limits.timeout_s, 2);
  EXPECT_EQ(config.tensors.min_dim, 8);
  EXPECT_EQ(config.experiment, "renamed");
}

TEST(ConfigOverrides, ErrorsPointIntoTheOverride) {
  const auto refusal = [](const std::string& text, ErrorKind kind) {
    LoadOptions options = fake_options();
    options.overrides = {text};
    return error_of([&] { parse(kSmall, options); }, kind);
  };
  EXPECT_EQ(refusal("axes.tile=[16x]", ErrorKind::config).substr(0, 47),
            "--set axes.tile:1:2: key 'axes.tile[0]': tile '");
  EXPECT_THAT(refusal("axes.tiel=[16x16]", ErrorKind::config), HasSubstr("did you mean 'tile'?"));
  EXPECT_THAT(refusal("seed=010", ErrorKind::config), HasSubstr("without leading zeros"));
  EXPECT_THAT(refusal("seed=", ErrorKind::config), HasSubstr("--set seed:1:1: "));
  EXPECT_THAT(refusal("axes.tile", ErrorKind::usage), HasSubstr("is not KEY=VALUE"));
  EXPECT_THAT(refusal("axes..tile=1", ErrorKind::usage), HasSubstr("no key may be empty"));
  EXPECT_THAT(refusal("experiment.x=1", ErrorKind::usage), HasSubstr("not a map"));
  EXPECT_THAT(refusal("extends=a.yaml", ErrorKind::usage), HasSubstr("cannot be overridden"));
}

std::string address(const std::string& path, const std::map<std::string, std::string>& environment) {
  LoadOptions options = fake_options();
  options.environment = [&](const std::string& name) {
    const auto it = environment.find(name);
    return it == environment.end() ? std::nullopt : std::optional<std::string>(it->second);
  };
  return parse(edited(kSmall, "a.safetensors", "\"" + path + "\""), options).checkpoints[0].address;
}

TEST(ConfigPaths, VariablesAndDefaults) {
  EXPECT_EQ(address("${WCODEC_CHECKPOINTS}/m", {}), "/shared/checkpoints/m");
  EXPECT_EQ(address("${WCODEC_CHECKPOINTS}/m", {{"WCODEC_CHECKPOINTS", "/data"}}), "/data/m");
  EXPECT_EQ(address("${WCODEC_CHECKPOINTS}/m", {{"WCODEC_CHECKPOINTS", ""}}), "/shared/checkpoints/m");
  EXPECT_EQ(address("${WCODEC_CHECKPOINTS}/m", {{"WCODEC_CHECKPOINTS", "data"}}),
            (fs::current_path() / "data/m").string());
  EXPECT_EQ(address("x/${A:-b}/${C}.bin", {{"C", "c"}}), "/project/x/b/c.bin");
  EXPECT_EQ(address("${A:-pip:package}/x", {}), "pip:package/x");
  EXPECT_EQ(address("synthetic:gaussian:rows=4,cols=4", {}), "synthetic:gaussian:rows=4,cols=4");
  EXPECT_EQ(address("hf://org/name@main", {}), "hf://org/name@main");
  EXPECT_EQ(address("a/$b/../c", {}), "/project/a/c");
}

TEST(ConfigPaths, NothingElseIsExpanded) {
  EXPECT_EQ(parse(edited(kSmall, "axes:", "question: \"${HOME}\"\naxes:")).question, "${HOME}");
}

TEST(ConfigHash, IgnoresCommentsOrderSpellingAndWhatCannotChangeAResult) {
  const std::string hash = config_hash(parse(kSmall));
  EXPECT_EQ(hash.size(), 32u);
  EXPECT_EQ(hash, config_hash(parse(R"(# a comment
axes:
  coder: rans            # the default tables
  modes:
    - - none
    - [left, none, left]
  tile: ["8x32", "16x16"]
  quantizer: ["int8:axis=row", "int4:group=64"]
threads: 7
limits: {timeout_s: 3, max_cells: 77}
question: anything
controls: [gaussian, original, shuffled]
checkpoints: [{path: "a.safetensors", family: a, optional: false, name: a}]
tensors: {include: "*", min_dim: 2}
compare: {against: [none], margin: 0.010}
seed: 1
experiment: small
)")));
}

TEST(ConfigHash, ChangesWithEverythingElse) {
  std::map<std::string, std::string> seen{{config_hash(parse(kSmall)), "the original"}};
  const std::pair<const char*, const char*> edits[] = {
      {"small", "tiny"},
      {"name: a", "name: b"},
      {"a.safetensors", "b.safetensors"},
      {"a.safetensors", "a.safetensors, family: f"},
      {"a.safetensors", "a.safetensors, optional: true"},
      {"a.safetensors", "a.safetensors, optional: true, required_in_ci: true"},
      {"a.safetensors", "a.safetensors, views: {\"*\": int4}"},
      {"axes:", "tensors: {include: [\"*.w\"]}\naxes:"},
      {"axes:", "tensors: {exclude: [\"*.w\"]}\naxes:"},
      {"axes:", "tensors: {kinds: [\"mlp.*\"]}\naxes:"},
      {"axes:", "tensors: {min_dim: 3}\naxes:"},
      {"axes:", "tensors: {max_weights: 3}\naxes:"},
      {"axes:", "tensors: {limit: 3}\naxes:"},
      {"axes:", "controls: [original]\naxes:"},
      {"axes:", "baselines: [gzip]\naxes:"},
      {"axes:", "baseline_controls: [original, shuffled]\naxes:"},
      {"axes:", "zip: [[tile, modes]]\naxes:"},
      {"axes:", "where: [{if: {tile: 8x32}, drop: {modes: none}}]\naxes:"},
      {"axes:", "where: [{drop: {tile: 8x32}, if: {modes: none+left}}]\naxes:"},
      {"axes:", "measure: {timing: {repeats: 3}}\naxes:"},
      {"axes:", "measure: {timing: {repeats: 3, warmup: 1}}\naxes:"},
      {"axes:", "measure: {timing: {repeats: 3, only: {tile: 8x32}}}\naxes:"},
      {"axes:", "compare: []\naxes:"},
      {"axes:", "compare: {against: [none, left]}\naxes:"},
      {"axes:", "compare: {against: [none], statistic: bpw_symbols}\naxes:"},
      {"axes:", "compare: {against: [none], margin: 0.02}\naxes:"},
      {"axes:", "seed: 2\naxes:"},
      {"axes:", "diagnostics: false\naxes:"},
      {"int8", "int8:axis=tensor"},
      {"8x32", "8x8"},
      {"[8x32, 16x16]", "[16x16, 8x32]"},
      {"[none, left]]", "[none, top]]"},
      {"\"rans:tables=tensor\"", "raw"},
  };
  for (const auto& [from, to] : edits) {
    const auto [it, is_new] = seen.emplace(config_hash(parse(edited(kSmall, from, to))), to);
    EXPECT_TRUE(is_new) << to << " has the hash of " << it->second;
  }
}

TEST(ConfigHash, CanonicalTextReadsBackToItself) {
  const std::string text = edited(kSmall, "axes:", R"(where: [{if: {quantizer: "int4:*"}, drop: {tile: 8x32}}]
zip: [[tile, modes]]
baselines: [gzip, "zstd:level=19"]
measure: {timing: {repeats: 3, only: {control: original}}}
views: {"*.codes": "int4:bias=8"}
tensors: {exclude: ["a\"b\\", "é*"]}
compare: {against: [none], margin: 0.00001}
axes:)");
  const std::string once = canonical_config(parse(text));
  EXPECT_EQ(canonical_config(parse(once)), once);
}

}  // namespace
}  // namespace wcodec
