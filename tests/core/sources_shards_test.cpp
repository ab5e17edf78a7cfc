#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>

#include "core/sources/hf.hpp"
#include "core/sources/pip.hpp"
#include "core/sources/safetensors.hpp"
#include "tests/core/checkpoint_files.hpp"
#include "tests/core/limited_child.hpp"

namespace wcodec {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string one_tensor(const std::string& name, char value) {
  return safetensors_bytes(fmt::format(R"({{"{}":{{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}}})", name),
                           std::string(1, value));
}

std::vector<std::string> names(const Checkpoint& checkpoint) {
  std::vector<std::string> names;
  for (const TensorInfo& tensor : checkpoint.tensors()) names.push_back(tensor.name);
  return names;
}

class Shards : public ::testing::Test {
 protected:
  std::string index(const std::string& map) const {
    return directory_.write(
        "m/model.safetensors.index.json",
        R"({"metadata":{"total_size":2,"nested":{"a":[1,2.5,null,"x"]}},"weight_map":)" + map + "}");
  }
  void two_shards() const {
    directory_.write("m/model-00002-of-00002.safetensors", one_tensor("b", 'B'));
    directory_.write("m/model-00001-of-00002.safetensors", one_tensor("a", 'A'));
  }
  TestDirectory directory_;
};

TEST_F(Shards, AreReadInTheirOrder) {
  two_shards();
  const std::string path = index(R"({"b":"model-00002-of-00002.safetensors","a":"model-00001-of-00002.safetensors"})");
  for (const std::string& address : {path, directory_.path("m")}) {
    const auto checkpoint = open_checkpoint(address);
    EXPECT_THAT(names(*checkpoint), ElementsAre("a", "b"));
    EXPECT_THAT(checkpoint->read(1), ElementsAre('B'));
    EXPECT_EQ(checkpoint->files().size(), 2u);
    EXPECT_EQ(as_safetensors(*checkpoint)->file_of(1), 1u);
  }
}

TEST_F(Shards, DirectoriesWithoutAnIndex) {
  two_shards();
  EXPECT_THAT(names(*open_checkpoint(directory_.path("m"))), ElementsAre("a", "b"));
  directory_.write("m/z.safetensors", one_tensor("a", 'Z'));
  EXPECT_THAT(open_error(directory_.path("m")).what(), AllOf(HasSubstr("tensor 'a' is also in"), HasSubstr("00001")));
  directory_.write("m/model.safetensors", one_tensor("only", 'O'));
  EXPECT_THAT(names(*open_checkpoint(directory_.path("m"))), ElementsAre("only"));
}

TEST_F(Shards, Hostile30_ShardNamesStayBesideTheIndex) {
  two_shards();
  directory_.write("outside.safetensors", one_tensor("a", 'X'));
  for (const char* name : {"../outside.safetensors", "/etc/passwd", "..", ".", "", R"(a\\b)", R"(x\u0000y)",
                           "./model-00001-of-00002.safetensors"}) {
    const std::string path = index(fmt::format(R"({{"a":"{}"}})", name));
    within_limits([&] {
      const Error error = open_error(path);
      EXPECT_EQ(error.kind(), ErrorKind::corrupt) << name;
      EXPECT_THAT(error.what(), AllOf(HasSubstr("tensor 'a'"), HasSubstr("not the name of a file beside the index")));
    });
  }
}

TEST_F(Shards, Hostile30_MissingShardsAndTensorsAreNamed) {
  two_shards();
  Error error = open_error(index(R"({"a":"model-00001-of-00002.safetensors","c":"model-00003.safetensors"})"));
  EXPECT_EQ(error.kind(), ErrorKind::not_found);
  EXPECT_THAT(error.what(), HasSubstr("shard 'model-00003.safetensors' is missing"));
  error = open_error(index(R"({"a":"model-00001-of-00002.safetensors","c":"model-00002-of-00002.safetensors"})"));
  EXPECT_THAT(error.what(), AllOf(HasSubstr("tensor 'c'"), HasSubstr("shard 'model-00002-of-00002.safetensors'")));
  // In a shard, but not in the one that the map says.
  error = open_error(index(R"({"a":"model-00002-of-00002.safetensors","b":"model-00002-of-00002.safetensors"})"));
  EXPECT_THAT(error.what(), HasSubstr("tensor 'a' should be in shard"));
}

TEST_F(Shards, MalformedIndexes) {
  two_shards();
  for (const char* map : {R"({})", R"([])", R"({"a":1})", R"({"a":{}})", R"({"a":null})", R"("x")",
                          R"({"a":"model-00001-of-00002.safetensors","\u0061":"model-00001-of-00002.safetensors"})",
                          R"({"a":"model-00001-of-00002.safetensors"},"weight_map":{})"}) {
    EXPECT_EQ(open_error(index(map)).kind(), ErrorKind::corrupt) << map;
  }
  EXPECT_EQ(open_error(directory_.write("x.safetensors.index.json", "{}")).kind(), ErrorKind::corrupt);
  EXPECT_EQ(open_error(directory_.write("y.safetensors.index.json", "")).kind(), ErrorKind::corrupt);
  const std::string nested = "{\"metadata\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}";
  within_limits(
      [&] { EXPECT_THAT(open_error(directory_.write("n.index.json", nested)).what(), HasSubstr("nested deeper")); });
}

// Environment variables of one test, put back afterwards.
class Environment {
 public:
  void set(const char* name, const std::string& value) {
    const char* old = std::getenv(name);
    saved_.try_emplace(name, old == nullptr ? std::optional<std::string>() : std::string(old));
    ::setenv(name, value.c_str(), 1);
  }
  ~Environment() {
    for (const auto& [name, value] : saved_) {
      value ? ::setenv(name.c_str(), value->c_str(), 1) : ::unsetenv(name.c_str());
    }
  }

 private:
  std::map<std::string, std::optional<std::string>> saved_;
};

class HuggingFace : public ::testing::Test {
 protected:
  HuggingFace() {
    environment_.set("HF_HUB_CACHE", directory_.path("hub"));
    environment_.set("HF_HUB_OFFLINE", "1");
    directory_.write("hub/models--org--name/refs/main", "abc123\n");
    directory_.write("hub/models--org--name/refs/refs/pr/7", "def456");
    directory_.write("hub/models--org--name/blobs/blob", one_tensor("cached", 'C'));
    directory_.write("hub/models--org--name/snapshots/abc123/config.json", "{}");
    directory_.write("hub/models--org--name/snapshots/def456/model.safetensors", one_tensor("pr", 'P'));
    std::filesystem::create_symlink("../../blobs/blob",
                                    directory_.path("hub/models--org--name/snapshots/abc123/model.safetensors"));
  }
  Environment environment_;
  TestDirectory directory_;
};

TEST_F(HuggingFace, ReadsTheCache) {
  EXPECT_THAT(names(*open_checkpoint("hf://org/name")), ElementsAre("cached"));
  EXPECT_THAT(names(*open_checkpoint("hf://org/name@main")), ElementsAre("cached"));
  EXPECT_THAT(names(*open_checkpoint("hf://org/name@abc123")), ElementsAre("cached"));
  EXPECT_THAT(names(*open_checkpoint("hf://org/name@refs/pr/7")), ElementsAre("pr"));
}

TEST_F(HuggingFace, SaysWhatToDoWhenItIsNotThere) {
  for (const char* address : {"hf://org/other", "hf://org/name@v2", "hf://gpt2"}) {
    const Error error = open_error(address);
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_THAT(error.what(), AllOf(HasSubstr(address), HasSubstr("HF_HUB_OFFLINE")));
  }
  // A snapshot without weights is not complete.
  std::filesystem::remove(directory_.path("hub/models--org--name/snapshots/abc123/model.safetensors"));
  EXPECT_THAT(open_error("hf://org/name").what(), HasSubstr("not complete in the cache"));
}

TEST_F(HuggingFace, RefusesNamesThatArePaths) {
  for (const char* address :
       {"hf://", "hf://../x", "hf://org/..", "hf://org/name@../../x", "hf://org/name@", "hf://a/b/c", "hf:///etc",
        "hf://org/na me", "hf://-x/y", "hf://org/name@-x", "hf://org--x/name"}) {
    EXPECT_EQ(open_error(address).kind(), ErrorKind::usage) << address;
  }
  // A reference that points out of the cache.
  directory_.write("hub/models--org--name/refs/evil", "../../../../m");
  EXPECT_EQ(open_error("hf://org/name@evil").kind(), ErrorKind::not_found);
}

// A Python whose site-packages hold a made-up huggingface_hub.
TEST_F(HuggingFace, AsksTheHubClient) {
  const std::string package = R"(
import os
def snapshot_download(repository, revision, cache_dir, allow_patterns):
    if repository != 'org/new':
        raise RuntimeError('404 \x1b[31m Repository not found')
    path = os.path.join(cache_dir, 'models--org--new', 'snapshots', revision)
    os.makedirs(path)
    with open(os.path.join(cache_dir, 'models--org--name/blobs/blob'), 'rb') as blob:
        data = blob.read()
    with open(os.path.join(path, 'model.safetensors'), 'wb') as file:
        file.write(data)
    return path
)";
  directory_.write("site/huggingface_hub/__init__.py", package);
  environment_.set("HF_HUB_OFFLINE", "0");
  environment_.set("PYTHONPATH", directory_.path("site"));
  environment_.set("WCODEC_PYTHON", "python3");
  EXPECT_THAT(names(*open_checkpoint("hf://org/new")), ElementsAre("cached"));
  EXPECT_THAT(open_error("hf://org/absent").what(), AllOf(HasSubstr("404 \\x1b[31m"), HasSubstr("HF_TOKEN")));
  directory_.write("site/huggingface_hub/__init__.py", "raise ImportError");
  EXPECT_THAT(open_error("hf://org/absent").what(), HasSubstr("pip install huggingface_hub"));
}

// A distribution as an installer leaves it.
class Pip : public ::testing::Test {
 protected:
  Pip() {
    environment_.set("PYTHONPATH", directory_.path("site"));
    environment_.set("WCODEC_PYTHON", "python3");
    directory_.write("site/my_model/weights/model.safetensors", one_tensor("packaged", 'P'));
    directory_.write("site/my_model/weights/secret.safetensors", one_tensor("unlisted", 'U'));
    directory_.write("site/my_model-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: my-model\nVersion: 1.0\n");
    directory_.write("site/my_model-1.0.dist-info/RECORD",
                     "my_model/weights/model.safetensors,,\nmy_model/__init__.py,,\nmy_model-1.0.dist-info/RECORD,,\n");
  }
  Environment environment_;
  TestDirectory directory_;
};

TEST_F(Pip, FindsFilesOfADistribution) {
  for (const char* address :
       {"pip:my-model/weights/model.safetensors", "pip:my-model/my_model/weights/model.safetensors",
        "pip:My_Model/weights/model.safetensors"}) {
    EXPECT_THAT(names(*open_checkpoint(address)), ElementsAre("packaged")) << address;
  }
}

TEST_F(Pip, SaysWhatToDo) {
  Error error = open_error("pip:no-such-model-anywhere/x.safetensors");
  EXPECT_EQ(error.kind(), ErrorKind::not_found);
  EXPECT_THAT(error.what(), HasSubstr("pip install no-such-model-anywhere"));
  for (const char* path : {"absent.safetensors", "weights/secret.safetensors"}) {
    error = open_error(std::string("pip:my-model/") + path);
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_THAT(error.what(), HasSubstr("pip show -f my-model"));
  }
  environment_.set("WCODEC_PYTHON", directory_.path("no-python"));
  EXPECT_THAT(open_error("pip:my-model/x").what(), AllOf(HasSubstr("no-python"), HasSubstr("WCODEC_PYTHON")));
}

TEST_F(Pip, RefusesNamesThatAreNoPackagesAndPathsThatClimb) {
  for (const char* rest : {"", "my-model", "my-model/", "/x", "-rf/x", "my model/x", "$(id)/x", "my-model/../x",
                           "my-model/a/../../x", "my-model//x", "my-model/./x", "my-model/a\\b", "my-model/a\nb"}) {
    EXPECT_EQ(open_error(std::string("pip:") + rest).kind(), ErrorKind::usage) << rest;
  }
}

}  // namespace
}  // namespace wcodec
