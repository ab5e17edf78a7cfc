#include "core/plugin.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "core/error.hpp"
#include "core/hash.hpp"

namespace wcodec {
namespace {

constexpr std::size_t kLongestName = 40;
constexpr std::size_t kMostParts = 1000;  // a list without its null pointer is noticed here at the latest

[[noreturn]] void refuse(const std::string& file, const std::string& message) {
  throw Error(ErrorKind::usage, fmt::format("plug-in {}: {}", printable(file), message));
}

std::string hash_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    throw Error(ErrorKind::io, fmt::format("plug-in {}: cannot be opened for reading", printable(path.native())));
  ContentHasher hasher;
  std::vector<char> window(1 << 16);
  while (file.read(window.data(), static_cast<std::streamsize>(window.size())), file.gcount() > 0) {
    hasher.update(Bytes(reinterpret_cast<const u8*>(window.data()), static_cast<std::size_t>(file.gcount())));
  }
  if (file.bad()) throw Error(ErrorKind::io, fmt::format("plug-in {}: reading failed", printable(path.native())));
  return hasher.finish();
}

// Names stand in spec strings, mode sets ("none+left") and file names.
bool well_formed(sv name) noexcept {
  const auto alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= kLongestName && alphanumeric(name[0]) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return alphanumeric(c) || c == '_' || c == '-'; });
}

std::string checked_name(const std::string& file, sv what, const char* name) {
  if (name == nullptr) refuse(file, fmt::format("{} has no name", what));
  if (!well_formed(name)) {
    refuse(file, fmt::format("{} is called '{}'; a name has up to {} of a-z, 0-9, '-' and '_'", what,
                             printable(std::string_view(name).substr(0, 2 * kLongestName)), kLongestName));
  }
  return name;
}

bool complete(const wcodec_plugin_predictor& row) noexcept {
  return row.residual != nullptr && row.reconstruct != nullptr;
}
bool complete(const wcodec_plugin_coder& row) noexcept {
  return row.bound != nullptr && row.encode != nullptr && row.decode != nullptr;
}
bool complete(const wcodec_plugin_baseline& row) noexcept {
  return row.bound != nullptr && row.compress != nullptr && row.decompress != nullptr;
}

// Adds the rows of one list to `parts`.
template <class Row>
void take(const PluginIdentity& from, sv what, const Row* const* rows, std::vector<PluginPart<Row>>& parts) {
  for (std::size_t i = 0; rows != nullptr && rows[i] != nullptr; ++i) {
    if (i == kMostParts) refuse(from.file, fmt::format("its list of {}s does not end with a null pointer", what));
    const Row& row = *rows[i];
    if (row.struct_size != sizeof(Row)) {
      refuse(from.file,
             fmt::format("{} {} says struct_size = {}, it must be sizeof = {}", what, i, row.struct_size, sizeof(Row)));
    }
    const std::string name = checked_name(from.file, fmt::format("{} {}", what, i), row.name);
    if (row.help == nullptr) refuse(from.file, fmt::format("{} '{}' has no help", what, name));
    if (!complete(row)) refuse(from.file, fmt::format("{} '{}' lacks a function", what, name));
    for (const auto& other : parts) {
      if (other.name() == name) {
        refuse(from.file,
               fmt::format("{} '{}' exists already, from plug-in {}", what, name, printable(other.from.file)));
      }
    }
    parts.push_back({&row, from});
  }
}

void load(const std::filesystem::path& path, PluginSet& set) {
  const std::string file = path.filename().native();
  PluginIdentity identity{{}, {}, hash_file(path), file};
  // RTLD_NOW: an unresolved symbol is an error now and not in the middle of a sweep. RTLD_LOCAL: two plug-ins may use
  // the same names inside. The handle is never closed: rows point into the library.
  void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) refuse(file, fmt::format("cannot be loaded: {}", printable(::dlerror())));
  void* symbol = ::dlsym(handle, "wcodec_plugin_describe");
  if (symbol == nullptr) refuse(file, "exports no function wcodec_plugin_describe (see core/plugin.h)");

  const wcodec_plugin_host host{WCODEC_PLUGIN_ABI, sizeof(wcodec_plugin_host)};
  const wcodec_plugin* plugin = reinterpret_cast<decltype(&wcodec_plugin_describe)>(symbol)(&host);
  if (plugin == nullptr) {
    throw Error(ErrorKind::unsupported, fmt::format("plug-in {}: refuses this version of wcodec (plug-in ABI {})",
                                                    printable(file), WCODEC_PLUGIN_ABI));
  }
  if (plugin->abi != WCODEC_PLUGIN_ABI) {
    throw Error(ErrorKind::unsupported,
                fmt::format("plug-in {}: was built for plug-in ABI {}, this is ABI {}; rebuild it", printable(file),
                            plugin->abi, WCODEC_PLUGIN_ABI));
  }
  if (plugin->struct_size != sizeof(wcodec_plugin)) {
    refuse(file,
           fmt::format("says struct_size = {}, it must be sizeof = {}", plugin->struct_size, sizeof(wcodec_plugin)));
  }
  identity.name = checked_name(file, "the plug-in", plugin->name);
  if (plugin->version == nullptr) refuse(file, "declares no version");
  identity.version = printable(plugin->version);
  take(identity, "predictor", plugin->predictors, set.predictors);
  take(identity, "coder", plugin->coders, set.coders);
  take(identity, "baseline", plugin->baselines, set.baselines);
  for (const auto& part : set.baselines) {
    const auto& row = *part.row;
    if (row.min_level > row.default_level || row.default_level > row.max_level) {
      refuse(file, fmt::format("baseline '{}' has levels {} to {} and the default {}", row.name, row.min_level,
                               row.max_level, row.default_level));
    }
  }
  set.plugins.push_back(identity);
}

}  // namespace

PluginSet load_plugins(std::span<const std::string> paths) {
  PluginSet set;
  std::vector<std::filesystem::path> loaded;
  for (const std::string& text : paths) {
    std::error_code error;
    // Also makes the path absolute: dlopen would look for a bare name among the system's libraries.
    const std::filesystem::path path = std::filesystem::canonical(text, error);
    if (error) {
      throw Error(ErrorKind::not_found, fmt::format("plug-in {}: {}", printable(text), error.message()));
    }
    if (std::find(loaded.begin(), loaded.end(), path) != loaded.end()) continue;
    load(path, set);
    loaded.push_back(path);
  }
  return set;
}

void refuse_clash(sv what, sv name, const PluginIdentity& from, std::span<const sv> taken) {
  if (std::find(taken.begin(), taken.end(), name) != taken.end()) {
    refuse(from.file, fmt::format("its {} '{}' has a name that is taken", what, name));
  }
}

}  // namespace wcodec
