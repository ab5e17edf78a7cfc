#include "baselines/peer_packages.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <vector>

#include "baselines/process.hpp"
#include "core/error.hpp"
#include "core/sources/python.hpp"

extern char** environ;

namespace wcodec {
namespace {

constexpr std::chrono::minutes kAsking{1};

std::string peers_python() {
  if (const char* chosen = std::getenv("WCODEC_PEERS_PYTHON"); chosen != nullptr && *chosen != '\0') return chosen;
  return python_executable();
}

// This process's environment with the project's Python sources in front of PYTHONPATH.
std::vector<std::string> environment() {
  constexpr sv kPath = "PYTHONPATH=";
  std::vector<std::string> variables;
  std::string path = std::string(kPath) + WCODEC_PROJECT_DIR "/python";
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const sv text(*variable);
    if (text.starts_with(kPath)) {
      path += fmt::format(":{}", text.substr(kPath.size()));
    } else {
      variables.emplace_back(text);
    }
  }
  variables.push_back(std::move(path));
  return variables;
}

// One line a peer: its name, its package, and the version that is installed, if any, between tabs.
std::map<std::string, PeerPackage, std::less<>> parse_packages(sv text) {
  std::map<std::string, PeerPackage, std::less<>> packages;
  while (!text.empty()) {
    const sv line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const auto first = line.find('\t'), second = line.find('\t', first + 1);
    if (first == sv::npos || second == sv::npos) continue;
    const sv name = line.substr(0, first), package = line.substr(first + 1, second - first - 1);
    const sv version = line.substr(second + 1);
    if (version.empty()) {
      packages[std::string(name)] = {
          fmt::format("{} absent", package),
          fmt::format("the Python package {0} is not installed: pip install {0}, or set WCODEC_PEERS_PYTHON to a "
                      "Python that has it (docs/peers.md)",
                      printable(package))};
    } else {
      packages[std::string(name)] = {fmt::format("{} {}", printable(package), printable(version)), {}};
    }
  }
  return packages;
}

struct Asked {
  std::map<std::string, PeerPackage, std::less<>> packages;
  std::string failure;
};

Asked ask() {
  try {
    std::vector<u8> out(1 << 16);
    const std::size_t size = run_filter({peers_python(), "-m", "wcodec_peers"}, {}, out, kAsking, environment());
    return {parse_packages({reinterpret_cast<const char*>(out.data()), size}), {}};
  } catch (const std::exception& error) {
    return {{},
            fmt::format("no Python can say which peers are installed ({}); set WCODEC_PEERS_PYTHON to one that has "
                        "them (docs/peers.md)",
                        error.what())};
  }
}

}  // namespace

PeerPackage peer_package(sv name) {
  static const Asked asked = ask();
  const auto it = asked.packages.find(name);
  if (it != asked.packages.end()) return it->second;
  return {fmt::format("{} absent", name),
          asked.failure.empty() ? fmt::format("python/wcodec_peers knows no peer '{}'", name) : asked.failure};
}

PeerWorker& peer_worker(sv name) {
  static std::mutex turn;
  static std::map<std::string, PeerWorker, std::less<>> workers;
  const std::lock_guard lock(turn);
  const auto it = workers.find(name);
  if (it != workers.end()) return it->second;
  const std::vector<std::string> command = {peers_python(), "-m", "wcodec_peers", std::string(name)};
  return workers.try_emplace(std::string(name), command, environment()).first->second;
}

}  // namespace wcodec
