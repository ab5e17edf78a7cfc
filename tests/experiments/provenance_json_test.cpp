#include <gmock/gmock.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "experiments/gpu_cells.hpp"
#include "experiments/provenance.hpp"
#include "experiments/results_file.hpp"

namespace wcodec {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
namespace fs = std::filesystem;

class Folder : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) / ("wcodec-provenance-" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path folder_;
};

RunRecord run() {
  RunRecord record;
  record.experiment = "tiles";
  record.question = "Does it help?";
  record.config_hash = std::string(32, '0');
  record.seed = 18446744073709551615u;
  record.checkpoints = {
      {"mi\xff\x1bni", "bert", "${WCODEC_CHECKPOINTS}/a.safetensors", {{"a.safetensors", 3, "ab"}}, ""}};
  record.cells = {10, 8, 2, 5};
  record.started = std::chrono::system_clock::from_time_t(1'000'000'000);
  record.ended = std::chrono::system_clock::from_time_t(1'000'000'061);
  return record;
}

TEST(Provenance, IsJsonThatSaysWhatRan) {
  const std::string text = provenance_json(run());
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(text.back(), '\n');
  EXPECT_EQ(json["experiment"], "tiles");
  EXPECT_EQ(json["seed"], 18446744073709551615u);
  EXPECT_EQ(json["started"], "2001-09-09T01:46:40Z");
  EXPECT_EQ(json["ended"], "2001-09-09T01:47:41Z");
  EXPECT_EQ(json["cells"]["reused"], 5);
  EXPECT_EQ(json["cell_version"], kCellVersion);
  EXPECT_EQ(json["checkpoints"][0]["name"], "mi\\xff\\x1bni");
  EXPECT_EQ(json["checkpoints"][0]["address"], "${WCODEC_CHECKPOINTS}/a.safetensors");
  EXPECT_EQ(json["checkpoints"][0]["files"][0]["sha256"], "ab");
  EXPECT_EQ(json["machine"]["gpu"].is_null(), !why_no_gpu_cells().empty());
  EXPECT_EQ(json.contains("kernels"), why_no_gpu_cells().empty());
  EXPECT_GT(json["machine"]["cpus"], 0);
  EXPECT_GT(json["machine"]["memory_bytes"], 0);
  EXPECT_EQ(json["build"]["libraries"].size(), 14u);
  for (const auto& [name, version] : json["build"]["libraries"].items()) {
    EXPECT_THAT(version.get<std::string>(), ::testing::ContainsRegex("^[0-9]+\\.[0-9]+")) << name;
  }
  EXPECT_THAT(json["build"]["flags"].get<std::string>(), HasSubstr("-ffp-contract=off"));
}

TEST(Provenance, NamesNoHostNoUserNoPlace) {
  const std::string text = provenance_json(run());
  char host[256] = {};
  ::gethostname(host, sizeof host - 1);
  const auto values = nlohmann::json::parse(text).flatten();
  for (const auto& [key, value] : values.items()) EXPECT_NE(value, host) << key;
  EXPECT_THAT(text, Not(HasSubstr(WCODEC_SOURCE_DIR)));
  EXPECT_THAT(text, Not(HasSubstr("\"/")));
}

TEST(WithoutAbsolutePaths, KeepsTheLastPart) {
  const auto address = [](sv text) { return without_absolute_paths(text, "=:,;"); };
  EXPECT_EQ(address("/home/some one/model.safetensors"), "…/model.safetensors");
  EXPECT_EQ(address("/home/someone/model/"), "…/model/");
  EXPECT_EQ(address("~someone/model"), "…/model");
  EXPECT_EQ(address("file:///home/someone/x"), "file:…/x");
  EXPECT_EQ(address("/"), "…/");
  for (const char* kept : {"", "../shared/x", "~/x", "pip:package/model/x.safetensors", "hf://org/name@main",
                           "${WCODEC_CHECKPOINTS}/x", "synthetic:gaussian:rows=64,cols=64,seed=1"}) {
    EXPECT_EQ(address(kept), kept);
  }
  EXPECT_EQ(without_absolute_paths("-O3 -I/usr/include/x -ffile-prefix-map=/a/b=. -Wall", " ="),
            "-O3 -I…/x -ffile-prefix-map=…/b=. -Wall");
}

TEST_F(Folder, FilesAreRecordedByContent) {
  const std::string path = (folder_ / "abc.bin").string();
  write_file_atomically(path, "abc");
  const FileRecord record = record_file(path);
  EXPECT_EQ(record.name, "abc.bin");
  EXPECT_EQ(record.bytes, 3u);
  EXPECT_EQ(record.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_THROW(record_file(path + "x"), Error);
}

// The commit is asked for at every build: after each commit, after an edit, and outside any checkout.
class Commit : public Folder {
 protected:
  void SetUp() override {
    Folder::SetUp();
    if (std::system("git --version >/dev/null 2>&1 && cmake --version >/dev/null 2>&1") != 0) {
      GTEST_SKIP() << "needs git and cmake";
    }
  }
  // Runs in the folder, apart from the user's configuration and from a hook's environment.
  int shell(const std::string& command) const {
    return std::system(("cd '" + folder_.string() +
                        "' && unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE && "
                        "export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 && { " +
                        command + "; } >/dev/null 2>&1")
                           .c_str());
  }
  std::string written(const std::string& source = ".") const {
    EXPECT_EQ(shell("cmake -DSOURCE_DIR=" + (folder_ / source).string() + " -DOUTPUT=" + output().string() +
                    " -P '" WCODEC_SOURCE_DIR "/experiments/provenance_commit.cmake'"),
              0);
    return read_text_file(output().string());
  }
  void commit(const std::string& text) const {
    write_file_atomically((folder_ / "file").string(), text);
    ASSERT_EQ(shell("git add file && git -c user.name=n -c user.email=e commit -m m && git rev-parse HEAD > head"), 0);
  }
  std::string head() const { return read_text_file((folder_ / "head").string()).substr(0, 40); }
  fs::path output() const { return folder_ / "out.cpp"; }
};

TEST_F(Commit, IsNeverThatOfAnOlderBuild) {
  EXPECT_THAT(written(), HasSubstr("kGitCommit = \"\""));
  ASSERT_EQ(shell("git init"), 0);
  EXPECT_THAT(written(), HasSubstr("kGitCommit = \"\""));
  commit("1");
  EXPECT_THAT(written(), HasSubstr("kGitCommit = \"" + head() + "\""));
  EXPECT_THAT(written(), HasSubstr("kGitDirty = false"));
  const auto time = fs::last_write_time(output());
  written();
  EXPECT_EQ(fs::last_write_time(output()), time) << "an unchanged answer must not cause a build";

  write_file_atomically((folder_ / "file").string(), "edited");
  EXPECT_THAT(written(), HasSubstr("kGitDirty = true"));
  commit("2");
  EXPECT_THAT(written(), HasSubstr("kGitCommit = \"" + head() + "\""));
  EXPECT_THAT(written(), HasSubstr("kGitDirty = false"));
}

TEST_F(Commit, OfAnotherProjectAroundTheSourcesIsNotOurs) {
  ASSERT_EQ(shell("git init && mkdir inside"), 0);
  commit("1");
  EXPECT_THAT(written("inside"), HasSubstr("kGitCommit = \"\""));
}

}  // namespace
}  // namespace wcodec
