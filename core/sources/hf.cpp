#include "core/sources/hf.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>

#include "core/error.hpp"
#include "core/sources/describe.hpp"
#include "core/sources/file.hpp"
#include "core/sources/pip.hpp"
#include "core/sources/python.hpp"

namespace wcodec {
namespace {

namespace fs = std::filesystem;

enum Status { downloaded = 0, no_package = 3, refused = 4 };

constexpr const char* kScript = R"(
import sys
sys.path[:] = [p for p in sys.path if p]
import os
try:
    from huggingface_hub import snapshot_download
except ImportError:
    sys.exit(3)
try:
    path = snapshot_download(sys.argv[1], revision=sys.argv[2], cache_dir=sys.argv[3],
                             allow_patterns=['*.safetensors', '*.safetensors.index.json', '*.json'])
except Exception as error:
    sys.stdout.buffer.write((str(error).strip().split('\n') or [''])[0].encode('utf-8', 'replace'))
    sys.exit(4)
sys.stdout.buffer.write(os.fsencode(path))
)";

bool is_repository_part(sv part) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  };
  return !part.empty() && part.front() != '-' && part.size() <= 96 && part.find("--") == sv::npos &&
         std::all_of(part.begin(), part.end(), fits);
}

const char* set_variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : nullptr;
}

bool offline() {
  const char* value = set_variable("HF_HUB_OFFLINE");
  if (value == nullptr) return false;
  std::string text(value);
  for (char& c : text) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return text == "1" || text == "TRUE" || text == "YES" || text == "ON";
}

std::string shown(const HfAddress& address) {
  return fmt::format("hf://{}@{}", printable(address.repository), printable(address.revision));
}

// The commit that a branch or tag stood for when it was fetched.
std::string read_reference(const fs::path& path) {
  const File file(path.string());
  std::string commit(std::min<u64>(file.size(), 128), '\0');
  file.read_at(0, MutBytes(reinterpret_cast<u8*>(commit.data()), commit.size()));
  while (!commit.empty() && (commit.back() == '\n' || commit.back() == ' ')) commit.pop_back();
  return commit;
}

}  // namespace

HfAddress parse_hf(sv rest) {
  HfAddress address;
  const auto at = rest.find('@');
  const sv repository = rest.substr(0, at);
  if (at != sv::npos) address.revision = std::string(rest.substr(at + 1));
  const auto slash = repository.find('/');
  bool good = is_plain_path(address.revision) && address.revision.front() != '-' && is_plain_path(repository) &&
              is_repository_part(repository.substr(0, slash));
  if (slash != sv::npos) good = good && is_repository_part(repository.substr(slash + 1));
  if (!good) {
    throw Error(ErrorKind::usage, fmt::format("hf://{}: must be hf://ORGANISATION/NAME or hf://ORGANISATION/"
                                              "NAME@REVISION",
                                              shown_name(rest)));
  }
  address.repository = std::string(repository);
  return address;
}

std::string hf_cache_directory() {
  if (const char* cache = set_variable("HF_HUB_CACHE")) return cache;
  if (const char* home = set_variable("HF_HOME")) return (fs::path(home) / "hub").string();
  if (const char* xdg = set_variable("XDG_CACHE_HOME")) return (fs::path(xdg) / "huggingface/hub").string();
  const char* home = set_variable("HOME");
  return (fs::path(home == nullptr ? "." : home) / ".cache/huggingface/hub").string();
}

std::optional<std::string> find_hf_snapshot(const HfAddress& address) {
  std::string folder = "models--" + address.repository;
  if (const auto slash = folder.find('/'); slash != std::string::npos) folder.replace(slash, 1, "--");
  const fs::path model = fs::path(hf_cache_directory()) / folder;
  std::error_code ignored;
  std::string commit = address.revision;
  if (const fs::path reference = model / "refs" / address.revision; fs::is_regular_file(reference, ignored)) {
    commit = read_reference(reference);
  }
  if (!is_plain_path(commit)) return std::nullopt;
  const fs::path snapshot = model / "snapshots" / commit;
  if (!fs::is_directory(snapshot, ignored)) return std::nullopt;
  return snapshot.string();
}

std::string download_hf_snapshot(const HfAddress& address) {
  const std::string cache = hf_cache_directory();
  if (offline()) {
    throw Error(ErrorKind::not_found,
                fmt::format("{}: not complete in the cache {} and HF_HUB_OFFLINE forbids the download; unset it, or "
                            "copy the model there",
                            shown(address), printable(cache)));
  }
  const std::array<std::string, 3> arguments = {address.repository, address.revision, cache};
  PythonAnswer answer = run_python(kScript, arguments);
  switch (answer.status) {
    case downloaded:
      return answer.output;
    case no_package:
      throw Error(ErrorKind::not_found,
                  fmt::format("{}: not in the cache {} and huggingface_hub is not installed for {}; run "
                              "`pip install huggingface_hub` there, or give a local path",
                              shown(address), printable(cache), printable(python_executable())));
    case refused:
      throw Error(ErrorKind::not_found, fmt::format("{}: the download failed ({}); check the name, the network and, "
                                                    "for a gated model, HF_TOKEN",
                                                    shown(address), shown_name(answer.output)));
    default:
      throw Error(ErrorKind::io, fmt::format("{}: {} failed with status {} while downloading", shown(address),
                                             printable(python_executable()), answer.status));
  }
}

}  // namespace wcodec
