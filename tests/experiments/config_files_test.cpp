// The experiments that come with the repository load with the stages of this build and ask what they say they ask.
#include <algorithm>

#include "tests/experiments/config_testing.hpp"

namespace wcodec {
namespace {

namespace fs = std::filesystem;

fs::path configs() { return fs::path(WCODEC_SOURCE_DIR) / "configs"; }

ExperimentConfig load(const std::string& name) {
  LoadOptions options = testing::fake_options();
  options.names = stage_names();
  return load_config(configs() / name, options);
}

std::vector<std::string> all_files() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(configs())) {
    // Folders hold configs of other programs: lossy/ those of `python -m wcodec.lossy`.
    if (entry.is_regular_file()) names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

TEST(ConfigFilesOfTheRepository, AllLoadAskAQuestionAndKeepTheirName) {
  EXPECT_GE(all_files().size(), 6u);
  for (const std::string& name : all_files()) {
    const ExperimentConfig config = load(name);
    EXPECT_EQ(config.experiment + ".yaml", name);
    EXPECT_EQ(config.question.back(), '?') << name;
    LoadOptions options = testing::fake_options();
    options.names = stage_names();
    const std::string canonical = canonical_config(config);
    EXPECT_EQ(canonical_config(parse_config(canonical, name, configs(), options)), canonical) << name;
  }
}

TEST(ConfigFilesOfTheRepository, StudiesLoadAndAskAQuestion) {
  std::size_t found = 0;
  for (const auto& entry : fs::directory_iterator(configs() / "study")) {
    LoadOptions options = testing::fake_options();
    options.names = stage_names();
    options.environment = [](const std::string& name) -> std::optional<std::string> {
      if (name == "WCODEC_MODEL") return "/models/any";  // huggingface.yaml takes its model from there
      return std::nullopt;
    };
    const ExperimentConfig config = load_config(entry.path(), options);
    EXPECT_EQ(config.question.back(), '?') << entry.path();
    EXPECT_TRUE(config.expect.empty() || fs::exists(config.expect + "/summary.csv")) << config.expect;
    ++found;
  }
  EXPECT_GE(found, 7u);
}

TEST(ConfigFilesOfTheRepository, PathsAreInTheRepositoryOrOptional) {
  for (const std::string& name : all_files()) {
    for (const CheckpointConfig& checkpoint : load(name).checkpoints) {
      const bool is_here = checkpoint.path.starts_with("checkpoints/");
      const bool is_made = checkpoint.path.starts_with("synthetic:");
      const bool is_package = checkpoint.path.starts_with("pip:");
      const bool is_shared = checkpoint.path.starts_with("${WCODEC_CHECKPOINTS}/");
      EXPECT_TRUE(is_here || is_package || is_made || (is_shared && checkpoint.optional))
          << name << " " << checkpoint.path;
      EXPECT_TRUE(!is_here || fs::exists(checkpoint.address)) << checkpoint.address;
    }
  }
}

TEST(ConfigFilesOfTheRepository, MinilmIsTheReferenceGrid) {
  const ExperimentConfig config = load("minilm.yaml");
  EXPECT_EQ(config.axis(Axis::quantizer).size(), 4u);
  EXPECT_THAT(config.axis(Axis::tile), ::testing::ElementsAre("8x32", "16x16", "32x8", "64x64"));
  EXPECT_THAT(config.axis(Axis::modes), ::testing::ElementsAre("none", "none+left", "none+left+top+avg+planar"));
  EXPECT_EQ(config.axis(Axis::coder).size(), 2u);
  EXPECT_EQ(config.controls.size(), 3u);
  EXPECT_THAT(config.baseline_controls, ::testing::ElementsAre("original"));
  EXPECT_FALSE(config.timing);
}

TEST(ConfigFilesOfTheRepository, Row41PlanOfEachFitsTheLimit) {
  for (const std::string& name : all_files()) {
    const ExperimentConfig config = load(name);
    EXPECT_LT(grid_size(config) * 500, config.limits.max_cells) << name << ": " << describe_grid(config);
  }
}

}  // namespace
}  // namespace wcodec
