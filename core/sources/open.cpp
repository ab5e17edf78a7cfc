#include <fmt/format.h>

#include <cstring>
#include <filesystem>
#include <new>

#include "core/error.hpp"
#include "core/sources/file.hpp"
#include "core/sources/gguf.hpp"
#include "core/sources/hf.hpp"
#include "core/sources/pip.hpp"
#include "core/sources/safetensors.hpp"
#include "core/sources/shards.hpp"
#include "core/sources/source.hpp"
#include "core/sources/synthetic.hpp"
#include "core/sources/view.hpp"

namespace wcodec {
namespace {

// What the name says, and where it says nothing (a blob of a cache) the first bytes.
bool is_gguf(const std::string& path) {
  if (path.ends_with(".gguf")) return true;
  if (path.ends_with(".safetensors")) return false;
  const File file(path);
  u8 magic[4] = {};
  if (file.size() >= 4) file.read_at(0, magic);
  return std::memcmp(magic, "GGUF", 4) == 0;
}

std::unique_ptr<Checkpoint> open_path(const std::string& path, const OpenOptions& options) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return open_model_directory(path, options);
  if (path.ends_with(".index.json")) return open_shard_index(path, options);
  if (is_gguf(path)) return open_gguf(path, options);
  return std::make_unique<SafetensorsCheckpoint>(std::vector<std::string>{path}, options);
}

std::unique_ptr<Checkpoint> open_hf(sv rest, const OpenOptions& options) {
  const HfAddress address = parse_hf(rest);
  if (const auto snapshot = find_hf_snapshot(address)) {
    try {
      return open_model_directory(*snapshot, options);
    } catch (const Error& error) {
      // A snapshot may hold only the configuration, or lack shards: then it is for the hub to complete it.
      if (error.kind() != ErrorKind::not_found) throw;
    }
  }
  return open_model_directory(download_hf_snapshot(address), options);
}

std::unique_ptr<Checkpoint> open_address(const std::string& address, const OpenOptions& options) {
  const sv text(address);
  const auto rest = [&](sv scheme) { return text.substr(scheme.size()); };
  if (text.starts_with("synthetic:")) return open_synthetic(rest("synthetic:"), options);
  if (text.starts_with("pip:")) return open_path(resolve_pip(rest("pip:")), options);
  if (text.starts_with("hf://")) return open_hf(rest("hf://"), options);
  if (text.empty() || text.find('\0') != sv::npos) {
    throw Error(ErrorKind::usage, fmt::format("'{}' is no address of a checkpoint", printable(text)));
  }
  return open_path(address, options);
}

}  // namespace

const SafetensorsCheckpoint* as_safetensors(const Checkpoint& checkpoint) noexcept {
  return dynamic_cast<const SafetensorsCheckpoint*>(&without_views(checkpoint));
}

std::unique_ptr<Checkpoint> open_checkpoint(const std::string& address, const OpenOptions& options) {
  try {
    auto checkpoint = open_address(address, options);
    if (!options.views.empty())
      checkpoint = apply_views(std::move(checkpoint), options.views, options.max_tensor_bytes);
    return checkpoint;
  } catch (const std::bad_alloc&) {
    throw Error(ErrorKind::limit, fmt::format("{}: its header does not fit in memory", printable(address)));
  }
}

}  // namespace wcodec
