#include "core/sources/shards.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <unordered_map>

#include "core/sources/describe.hpp"
#include "core/sources/json_header.hpp"
#include "core/sources/safetensors.hpp"

namespace wcodec {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxTensors = std::size_t{1} << 20;

struct Mapping {
  std::string tensor;
  u32 shard = 0;
};

// {"metadata": {anything shallow}, "weight_map": {TENSOR: SHARD}}
class IndexHandler : public JsonHandler {
 public:
  explicit IndexHandler(std::string file) : JsonHandler(std::move(file), 8) {}
  std::vector<Mapping> map;
  std::vector<std::string> shards;  // in the order of their first mention
  bool has_map = false;

 protected:
  bool on_key(std::string& name) override {
    if (depth() == 1) {
      in_map_ = name == "weight_map";
      if (in_map_ && std::exchange(has_map, true)) fail("weight_map appears twice");
    } else if (in_map_ && depth() == 2) {
      if (map.size() == kMaxTensors) {
        throw Error(ErrorKind::limit, fmt::format("{}: more than {} tensors", file_, kMaxTensors));
      }
      map.emplace_back().tensor = std::move(name);
    }
    return true;
  }
  bool on_string(std::string& value) override {
    if (!in_map_ || depth() != 2) return !in_map_ || refuse("a string");
    const auto [it, is_new] = number_.try_emplace(value, static_cast<u32>(shards.size()));
    if (is_new) {
      check_name(value);
      shards.push_back(value);
    }
    map.back().shard = it->second;
    return true;
  }
  bool on_number(u64) override { return !in_map_ || refuse("a number"); }
  bool on_other(const char* what) override { return !in_map_ || refuse(what); }
  bool on_open(bool array) override {
    if (in_map_ && (array || depth() > 2)) refuse(array ? "an array" : "an object");
    return true;
  }
  std::string where() const override {
    return in_map_ && !map.empty() ? fmt::format("tensor '{}'", shown_name(map.back().tensor)) : "index";
  }

 private:
  // A shard lies beside its index: a name that could leave the directory is no name.
  void check_name(const std::string& name) const {
    const bool plain = !name.empty() && name != "." && name != ".." && name.find_first_of(sv("/\\\0", 3)) == sv::npos;
    if (!plain) fail(fmt::format("shard '{}' is not the name of a file beside the index", shown_name(name)));
  }

  bool in_map_ = false;
  std::unordered_map<std::string, u32> number_;
};

std::vector<u8> read_whole(const File& file) {
  if (file.size() > kMaxJsonBytes) {
    throw Error(ErrorKind::limit, fmt::format("{}: {} bytes are more than an index of shards may have ({})",
                                              file.shown(), file.size(), kMaxJsonBytes));
  }
  std::vector<u8> bytes(file.size());
  file.read_at(0, bytes);
  return bytes;
}

// Every mapped tensor must be in the shard that the map names, and in the map once.
void check_map(const std::string& index, std::vector<Mapping>& map, const std::vector<std::string>& shards,
               const std::vector<u32>& file_of_shard, const SafetensorsCheckpoint& checkpoint) {
  std::unordered_map<sv, std::size_t> found;
  found.reserve(checkpoint.tensors().size());
  for (std::size_t i = 0; i < checkpoint.tensors().size(); ++i) found.emplace(checkpoint.tensors()[i].name, i);
  std::sort(map.begin(), map.end(), [](const Mapping& a, const Mapping& b) { return a.tensor < b.tensor; });
  for (std::size_t i = 0; i < map.size(); ++i) {
    if (i > 0 && map[i].tensor == map[i - 1].tensor) {
      throw Error(ErrorKind::corrupt,
                  fmt::format("{} appears twice in weight_map", tensor_label(index, map[i].tensor)));
    }
    const auto it = found.find(map[i].tensor);
    if (it == found.end() || checkpoint.file_of(it->second) != file_of_shard[map[i].shard]) {
      throw Error(ErrorKind::corrupt,
                  fmt::format("{} should be in shard '{}', but is not; fetch the checkpoint again",
                              tensor_label(index, map[i].tensor), shown_name(shards[map[i].shard])));
    }
  }
}

bool ends_with(const std::string& text, sv end) { return sv(text).ends_with(end); }

}  // namespace

std::unique_ptr<Checkpoint> open_shard_index(const std::string& path, const OpenOptions& options) {
  const File file(path);
  IndexHandler index(file.shown());
  {
    const std::vector<u8> json = read_whole(file);
    index.parse(sv(reinterpret_cast<const char*>(json.data()), json.size()));
  }
  if (index.map.empty()) {
    throw Error(ErrorKind::corrupt, fmt::format("{}: weight_map is missing or empty", file.shown()));
  }
  std::vector<u32> order(index.shards.size());
  for (u32 i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](u32 a, u32 b) { return index.shards[a] < index.shards[b]; });
  std::vector<std::string> paths;
  std::vector<u32> file_of_shard(order.size());
  for (const u32 shard : order) {
    const fs::path shard_path = fs::path(path).parent_path() / index.shards[shard];
    std::error_code ignored;
    if (!fs::exists(shard_path, ignored)) {
      throw Error(ErrorKind::not_found, fmt::format("{}: shard '{}' is missing beside it; fetch the checkpoint again",
                                                    file.shown(), shown_name(index.shards[shard])));
    }
    file_of_shard[shard] = static_cast<u32>(paths.size());
    paths.push_back(shard_path.string());
  }
  auto checkpoint = std::make_unique<SafetensorsCheckpoint>(paths, options);
  check_map(path, index.map, index.shards, file_of_shard, *checkpoint);
  checkpoint->set_shard_index(path);
  return checkpoint;
}

std::unique_ptr<Checkpoint> open_model_directory(const std::string& path, const OpenOptions& options) {
  const fs::path directory(path);
  std::vector<std::string> indexes, files;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name == "model.safetensors") {
      return std::make_unique<SafetensorsCheckpoint>(std::vector<std::string>{it->path().string()}, options);
    }
    if (ends_with(name, ".safetensors.index.json")) indexes.push_back(it->path().string());
    if (ends_with(name, ".safetensors")) files.push_back(it->path().string());
  }
  if (error) {
    throw Error(ErrorKind::io, fmt::format("{}: cannot be listed: {}", printable(path), error.message()));
  }
  if (indexes.size() == 1) return open_shard_index(indexes[0], options);
  if (indexes.size() > 1) {
    throw Error(ErrorKind::usage,
                fmt::format("{}: holds {} indexes of shards; give the one to open", printable(path), indexes.size()));
  }
  if (files.empty()) {
    throw Error(ErrorKind::not_found, fmt::format("{}: no .safetensors file in this directory; check the path, or "
                                                  "give the .gguf file itself",
                                                  printable(path)));
  }
  std::sort(files.begin(), files.end());
  return std::make_unique<SafetensorsCheckpoint>(files, options);
}

}  // namespace wcodec
