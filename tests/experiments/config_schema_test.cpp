// The schema: defaults, canonical forms, and for every way to get it wrong the line and column that the error names.
#include "tests/experiments/config_testing.hpp"

namespace wcodec {
namespace {

using testing::edited;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::kSmall;
using testing::parse;
using testing::parse_error;
using ::testing::StartsWith;

TEST(Config, DefaultsNeedOnlyNameCheckpointsAndAxes) {
  const ExperimentConfig config = parse(kSmall);
  EXPECT_EQ(config.experiment, "small");
  EXPECT_EQ(config.checkpoints[0].family, "a");
  EXPECT_EQ(config.checkpoints[0].address, "/project/a.safetensors");
  EXPECT_FALSE(config.checkpoints[0].optional);
  EXPECT_THAT(config.axis(Axis::quantizer), ElementsAre("int8", "int4:group=64"));
  EXPECT_THAT(config.axis(Axis::modes), ElementsAre("none", "none+left"));
  EXPECT_THAT(config.axis(Axis::coder), ElementsAre("rans"));
  EXPECT_THAT(config.axis(Axis::transform), ElementsAre("identity"));
  EXPECT_THAT(config.axis(Axis::order), ElementsAre("identity"));
  EXPECT_THAT(config.axis(Axis::approx), ElementsAre("none"));
  EXPECT_THAT(config.axis(Axis::reference), ElementsAre("none"));
  EXPECT_THAT(config.axis(Axis::device), ElementsAre("cpu"));
  EXPECT_THAT(config.controls, ElementsAre("original", "shuffled", "gaussian"));
  EXPECT_THAT(config.baseline_controls, ElementsAre("original"));
  EXPECT_TRUE(config.baselines.empty());
  EXPECT_FALSE(config.timing);
  EXPECT_EQ(config.tensors.min_dim, 2);
  EXPECT_THAT(config.tensors.include, ElementsAre("*"));
  ASSERT_EQ(config.compare.size(), 1u);
  EXPECT_EQ(config.compare[0].against, "none");
  EXPECT_EQ(config.compare[0].statistic, "bpw");
  EXPECT_EQ(config.compare[0].margin, 0.01);
  EXPECT_EQ(config.limits.max_cells, 1'000'000u);
  EXPECT_GE(config.threads, 1);
  EXPECT_TRUE(config.diagnostics);
}

TEST(Config, ReadsEverySection) {
  const ExperimentConfig config = parse(R"(
experiment: Full_1.0
question: "Does it help?"
checkpoints:
  - {name: a, path: "pip:package/m.safetensors", family: fam, optional: true, required_in_ci: true}
  - {name: b, path: /abs/b, views: {"*.codes": "int4:bias=8,nibbles=low-first"}}
views: {"*.q": "int8"}
tensors: {include: ["*.weight"], exclude: "*norm*", kinds: ["mlp.*"], min_dim: 64, max_weights: 1000000, limit: 5}
controls: [shuffled, original]
axes:
  quantizer: lossless
  tile: 16x16
  modes: [[left, none], [none]]
  transform: [identity]
  coder: ["rans:tables=row-scale,contexts=32", raw]
  device: [auto]
zip: [[coder, modes]]
where: [{if: {quantizer: "int4:*"}, drop: {tile: [64x64, "8x*"], modes: left+none}}]
baselines: ["gzip:level=6", zstd:level=19]
baseline_controls: [original, shuffled]
measure: {bytes: encoded, timing: {repeats: 5, warmup: 0, only: {control: original, coder: "rans*"}}, device: auto}
compare:
  - {factor: modes, against: [none], statistic: bits_per_weight, margin: 0.02}
  - {against: [none, left], statistic: bpw_symbols}
limits: {timeout_s: 1.5, memory_mib: 100, max_cells: 50}
seed: 9007199254740993
threads: 3
diagnostics: false
)");
  EXPECT_EQ(config.checkpoints[0].address, "pip:package/m.safetensors");
  EXPECT_TRUE(config.checkpoints[0].required_in_ci);
  EXPECT_EQ(config.checkpoints[1].views.at("*.codes"), "int4:bias=8,nibbles=low-first");
  EXPECT_EQ(config.checkpoints[1].views.at("*.q"), "int8");
  EXPECT_THAT(config.controls, ElementsAre("original", "shuffled"));
  EXPECT_THAT(config.axis(Axis::modes), ElementsAre("none+left", "none"));
  EXPECT_THAT(config.axis(Axis::coder), ElementsAre("rans:contexts=32,tables=row-scale", "raw"));
  EXPECT_THAT(config.zip[0], ElementsAre(Axis::modes, Axis::coder));
  ASSERT_EQ(config.where.size(), 1u);
  EXPECT_EQ(config.where[0].drop[0].field, "modes");
  EXPECT_THAT(config.where[0].drop[0].globs, ElementsAre("none+left"));
  EXPECT_THAT(config.where[0].drop[1].globs, ElementsAre("64x64", "8x*"));
  EXPECT_THAT(config.baselines, ElementsAre("gzip", "zstd:level=19"));
  EXPECT_EQ(config.timing->repeats, 5);
  EXPECT_EQ(config.timing->warmup, 0);
  EXPECT_EQ(config.timing->only.size(), 2u);
  EXPECT_EQ(config.compare[0].margin, 0.02);
  EXPECT_EQ(config.compare[1].against, "none+left");
  EXPECT_EQ(config.limits.timeout_s, 1.5);
  EXPECT_EQ(config.seed, 9007199254740993u);
  EXPECT_EQ(config.threads, 3);
  EXPECT_FALSE(config.diagnostics);
}

// One wrong edit of the small experiment, and where and how it is refused.
struct Wrong {
  const char* name;
  const char* from;
  const char* to;
  const char* at;  // "LINE:COLUMN"
  const char* says;
};

void PrintTo(const Wrong& wrong, std::ostream* out) { *out << wrong.name; }

class ConfigErrors : public ::testing::TestWithParam<Wrong> {};

TEST_P(ConfigErrors, NameTheirPlaceAndSayWhatToDo) {
  const Wrong& wrong = GetParam();
  const std::string message = parse_error(edited(kSmall, wrong.from, wrong.to));
  EXPECT_THAT(message, StartsWith("exp.yaml:" + std::string(wrong.at) + ": "));
  EXPECT_THAT(message, HasSubstr(wrong.says));
  EXPECT_THAT(message, HasSubstr("\n  "));
  EXPECT_EQ(message.back(), '^');
}

constexpr Wrong kWrong[] = {
    {"Row40UnknownKey", "axes:", "axis:", "4:1", "unknown key 'axis'; did you mean 'axes'?"},
    {"Row40UnknownInnerKey", "  tile:", "  tiel:", "6:3", "key 'axes': unknown key 'tiel'; did you mean 'tile'?"},
    {"Row40DuplicateKey", "axes:", "experiment: b\naxes:", "4:1", "key 'experiment' is given twice, first in line 1"},
    {"UnknownCheckpointKey", "path:", "paht:", "3:15",
     "key 'checkpoints[0]': unknown key 'paht'; did you mean 'path'?"},
    {"Row42NameNo", "small", "no", "1:13", "key 'experiment': must be text, and 'no' is true or false to some"},
    {"Row42NameOctal", "small", "010", "1:13", "write \"010\" in quotes"},
    {"Row42NameNaN", "small", "NaN", "1:13", "write \"NaN\" in quotes"},
    {"NameIsPath", "small", "../evil", "1:13", "must be a name: letters, digits"},
    {"NameHidden", "small", ".hidden", "1:13", "beginning with a letter or digit"},
    {"NameMissing", "experiment: small\n", "", "1:1", "the key 'experiment' is missing"},
    {"NoCheckpoints", "checkpoints:\n  - {name: a, path: a.safetensors}\n", "", "1:1", "'checkpoints' is missing"},
    {"EmptyCheckpoints", "\n  - {name: a, path: a.safetensors}", " []", "2:14", "key 'checkpoints': the list is empty"},
    {"CheckpointAll", "name: a", "name: all", "3:12", "key 'checkpoints[0].name': 'all' is what tables call"},
    {"CheckpointTwice", "axes", "  - {name: a, path: b}\naxes", "4:12",
     "key 'checkpoints[1].name': a second checkpoint"},
    {"CheckpointNoPath", ", path: a.safetensors", "", "3:5", "key 'checkpoints[0]': the key 'path' is missing"},
    {"RequiredNotOptional", "a.safetensors", "a, required_in_ci: true", "3:40",
     "says nothing without 'optional: true'"},
    {"PathVariable", "a.safetensors", "\"${NOT_SET}/a\"", "3:21", "environment variable NOT_SET is not set"},
    {"PathUnclosed", "a.safetensors", "\"${NOT_SET/a\"", "3:21", "'${' without a closing '}'"},
    {"PathBadName", "a.safetensors", "\"${NOT-SET}/a\"", "3:21", "neither ${VARIABLE} nor ${VARIABLE:-default}"},
    {"ViewNotSpec", "a.safetensors", "a, views: {\"*\": \"int4:\"}", "3:37", "is not of the form key=value"},
    {"NoTile", "  tile: [8x32, 16x16]\n", "", "5:3", "key 'axes': the key 'tile' is missing"},
    {"EmptyAxis", "[8x32, 16x16]", "[]", "6:9", "key 'axes.tile': the list is empty"},
    {"NullAxis", "[8x32, 16x16]", "", "6:3", "key 'axes.tile': has no value"},
    {"BadTile", "16x16", "16x", "6:16", "key 'axes.tile[1]': tile '16x' must be ROWSxCOLS"},
    {"BadQuantizer", "int8", "imt8", "5:15", "key 'axes.quantizer[0]': unknown quantizer 'imt8'; did you mean 'int8'?"},
    {"BadOption", "group=64", "grp=64", "5:21", "did you mean 'group'?"},
    {"SameSpecTwice", "\"int4:group=64\"", "\"int8:axis=row\"", "5:21", "'int8' is in the list already"},
    {"CommaNeedsQuotes", "[\"rans:tables=tensor\"]", "[rans:tables=row,contexts=3]", "8:27", "needs quotes"},
    {"ModesNotLists", "[[none], [none, left]]", "[none, left]", "7:11", "key 'axes.modes[0]': a mode set is a list"},
    {"BadPredictor", "[none, left]]", "[none, lfet]]", "7:19", "unknown predictor 'lfet'; did you mean 'left'?"},
    {"EmptyModeSet", "[none, left]]", "[]]", "7:19", "key 'axes.modes[1]': the list is empty"},
    {"SameModesTwice", "[none, left]]", "[none, none]]", "7:19", "'none' is in the list already"},
    {"NoneMissing", "[[none], [none, left]]", "[[left]]", "7:10", "needs [none] beside it"},
    {"BadTransform", "axes:", "axes:\n  transform: [dct]", "5:15", "unknown transform 'dct'; did you mean 'dct8'?"},
    {"BadOrder", "axes:", "axes:\n  order: [transposed]", "5:11", "did you mean 'transpose'?"},
    {"OrderIdentityMissing", "axes:", "axes:\n  order: [transpose]", "5:10", "orders need 'identity' beside them"},
    {"ApproxNoneMissing", "axes:", "axes:\n  approx: [mean]", "5:11", "approximations need 'none' beside them"},
    {"IdentityMissing", "axes:", "axes:\n  transform: [dct8]", "5:14", "need 'identity' beside them"},
    {"BadDevice", "axes:", "axes:\n  device: [cpu, gpu]", "5:17", "unknown device 'gpu'"},
    {"NoSuchGpu", "axes:", "axes:\n  device: [\"cuda:x\"]", "5:12", "unknown device 'cuda:x'; did you mean 'cuda:0'"},
    {"SameDeviceTwice", "axes:", "axes:\n  device: [cuda, \"cuda:0\"]", "5:18", "'cuda:0' is in the list already"},
    {"RandomInit", "axes:", "controls: [original, random-init]\naxes:", "4:22", "not supported yet: use gaussian"},
    {"BadControl", "axes:", "controls: [original, shuffeld]\naxes:", "4:22", "did you mean 'shuffled'?"},
    {"NoOriginal", "axes:", "controls: [shuffled]\naxes:", "4:11", "key 'controls': must hold 'original'"},
    {"BaselineUnknown", "axes:", "baselines: [gzpi]\naxes:", "4:13", "unknown baseline 'gzpi'; did you mean 'gzip'?"},
    {"ZipUnknown", "axes:", "zip: [[tile, color]]\naxes:", "4:14", "key 'zip[0][1]': unknown value 'color'"},
    {"ZipOne", "axes:", "zip: [[tile]]\naxes:", "4:7", "groups of at least two axes"},
    {"ZipTwice", "axes:", "zip: [[tile, modes], [coder, tile]]\naxes:", "4:30", "axis 'tile' is zipped twice"},
    {"ZipLengths", "axes:", "zip: [[tile, coder]]\naxes:", "4:7", "tile has 2, coder has 1"},
    {"ZipFlat", "axes:", "zip: [tile, coder]\naxes:", "4:7", "key 'zip[0]': must be a list, not a single value"},
    {"WhereNoDrop", "axes:", "where: [{if: {tile: 8x32}}]\naxes:", "4:9", "the key 'drop' is missing"},
    {"WhereField", "axes:", "where: [{if: {tlie: 8x32}, drop: {tile: 8x32}}]\naxes:", "4:15", "did you mean 'tile'?"},
    {"WhereValue", "axes:", "where: [{if: {tile: 8x}, drop: {tile: 8x32}}]\naxes:", "4:21", "tile '8x' must be"},
    {"WhereCheckpoint", "axes:", "where: [{if: {checkpoint: b}, drop: {tile: 8x32}}]\naxes:", "4:27", "(known: a)"},
    {"WhereDtype", "axes:", "where: [{if: {dtype: BF61}, drop: {tile: 8x32}}]\naxes:", "4:22", "unknown dtype 'BF61'"},
    {"WhereNever", "axes:", "where: [{if: {tile: 8x32}, drop: {baseline: gzip}}]\naxes:", "4:9",
     "a baseline has no tile"},
    {"WhereEmpty", "axes:", "where: [{if: {}, drop: {tile: 8x32}}]\naxes:", "4:14", "the map is empty"},
    {"Row42MinDim", "axes:", "tensors: {min_dim: 010}\naxes:", "4:20", "key 'tensors.min_dim': '010' must be"},
    {"Row42Limit", "axes:", "tensors: {limit: 1e3}\naxes:", "4:18", ": write 1000"},
    {"MinDimZero", "axes:", "tensors: {min_dim: 0}\naxes:", "4:20", "must be a whole number from 1"},
    {"IncludeEmpty", "axes:", "tensors: {include: []}\naxes:", "4:20", "the list is empty"},
    {"Row42Seed", "axes:", "seed: NaN\naxes:", "4:7", "key 'seed': 'NaN' must be a whole number"},
    {"Row42Diagnostics", "axes:", "diagnostics: no\naxes:", "4:14",
     "key 'diagnostics': 'no' must be true or false: write"},
    {"Threads", "axes:", "threads: 0\naxes:", "4:10", "key 'threads': '0' must be a whole number from 1 to 1024"},
    {"Entropy", "axes:", "measure: {bytes: entropy}\naxes:", "4:18", "'entropy' is reserved"},
    {"MeasureDevice", "axes:", "measure: {device: gpu}\naxes:", "4:19",
     "key 'measure.device': unknown device 'gpu'; did you mean 'cpu'"},
    {"TimingRepeats", "axes:", "measure: {timing: {repeats: 0}}\naxes:", "4:29", "key 'measure.timing.repeats'"},
    {"CompareFactor", "axes:", "compare: {factor: colour, against: [none]}\naxes:", "4:19",
     "(known: quantizer, order, approx, tile, modes, transform, coder, device, reference)"},
    {"CompareUnmeasured", "axes:", "compare: {factor: tile, against: 5x7}\naxes:", "4:34", "is not one of axes.tile"},
    {"CompareAgainst", "axes:", "compare: {against: [top]}\naxes:", "4:20", "'top' is not one of axes.modes"},
    {"CompareStatistic", "axes:", "compare: {against: [none], statistic: ratio}\naxes:", "4:39",
     "unknown value 'ratio'"},
    {"CompareMargin", "axes:", "compare: {against: [none], margin: -1}\naxes:", "4:36", "a number from 0 to 64"},
    {"Timeout", "axes:", "limits: {timeout_s: .inf}\naxes:", "4:21", "key 'limits.timeout_s': '.inf' must be a number"},
    {"MaxCells", "axes:", "limits: {max_cells: 3}\naxes:", "6:3", "24 cells for each tensor (quantizer 2 × tile 2"},
    {"AxesNotMap", "axes:", "limits: 5\naxes:", "4:9", "key 'limits': must be a map, not a single value"},
};

INSTANTIATE_TEST_SUITE_P(All, ConfigErrors, ::testing::ValuesIn(kWrong),
                         [](const auto& instance) { return std::string(instance.param.name); });

TEST(Config, WholeErrorReadsWell) {
  EXPECT_EQ(parse_error(edited(kSmall, "  tile:", "  tiel:")),
            "exp.yaml:6:3: key 'axes': unknown key 'tiel'; did you mean 'tile'? (known: quantizer, order, "
            "approx, tile, modes, transform, coder, device, reference)\n"
            "    tiel: [8x32, 16x16]\n"
            "    ^");
}

TEST(Config, RootMustBeAMap) {
  EXPECT_THAT(parse_error("[1]"), StartsWith("exp.yaml:1:1: must be a map, not a list"));
  EXPECT_THAT(parse_error("# only a comment\n"), HasSubstr("the file is empty"));
  EXPECT_THAT(parse_error(""), HasSubstr("the file is empty"));
}

TEST(ConfigHostile, Row41AbsurdGridIsRefusedBeforeItStarts) {
  std::string modes = "[[none], [none, left]", tiles = "[1x1";
  for (int i = 2; i <= 1000; ++i) tiles += ", " + std::to_string(i) + "x1";
  std::string quantizers = "[int8", coders = "[raw";
  for (int i = 1; i < 1000; ++i) {
    quantizers += ", \"int4:group=" + std::to_string(i + 1000) + "\"";
    coders += ", \"rans:contexts=" + std::to_string(i + 1000) + "\"";
  }
  const std::string text = "experiment: x\ncheckpoints: [{name: a, path: a}]\naxes:\n  quantizer: " + quantizers +
                           "]\n  tile: " + tiles + "]\n  modes: [[none]]\n  coder: " + coders +
                           "]\nlimits: {max_cells: 100000000}\n";
  const std::string message = parse_error(text);
  EXPECT_THAT(message,
              HasSubstr("3000000000 cells for each tensor (quantizer 1000 × tile 1000 × coder 1000 × control 3)"));
  EXPECT_THAT(message, HasSubstr("limits.max_cells = 100000000; shorten an axis or raise it"));
}

}  // namespace
}  // namespace wcodec
