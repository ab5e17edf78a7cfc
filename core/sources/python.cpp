#include "core/sources/python.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

#include "core/error.hpp"

namespace wcodec {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxOutput = std::size_t{1} << 20;

struct Descriptor {
  int value = -1;
  ~Descriptor() { reset(); }
  void reset() {
    if (value >= 0) ::close(value);
    value = -1;
  }
};

struct SpawnActions {
  posix_spawn_file_actions_t actions;
  SpawnActions() { posix_spawn_file_actions_init(&actions); }
  ~SpawnActions() { posix_spawn_file_actions_destroy(&actions); }
};

// Everything that is written to the pipe until it closes; false when that is more than kMaxOutput.
bool drain(int pipe, std::string& output) {
  char window[4096];
  while (true) {
    const ssize_t got = ::read(pipe, window, sizeof window);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return true;
    output.append(window, static_cast<std::size_t>(got));
    if (output.size() > kMaxOutput) return false;
  }
}

int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

std::string python_executable() {
  if (const char* chosen = std::getenv("WCODEC_PYTHON"); chosen != nullptr && *chosen != '\0') return chosen;
  std::error_code ignored;
  std::vector<fs::path> roots = {fs::current_path(ignored)};
  if (const fs::path self = fs::read_symlink("/proc/self/exe", ignored); !self.empty()) {
    roots.push_back(self.parent_path());
    roots.push_back(self.parent_path().parent_path());  // a build folder inside the source tree
  }
  for (const fs::path& root : roots) {
    const fs::path candidate = root / ".venv/bin/python";
    if (::access(candidate.c_str(), X_OK) == 0) return candidate.string();
  }
  return "python3";
}

PythonAnswer run_python(const std::string& script, std::span<const std::string> arguments) {
  const std::string python = python_executable();
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    throw Error(ErrorKind::io, fmt::format("no pipe to Python: {}", std::strerror(errno)));
  }
  Descriptor reading{ends[0]}, writing{ends[1]};
  SpawnActions spawn;
  posix_spawn_file_actions_addopen(&spawn.actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&spawn.actions, writing.value, STDOUT_FILENO);

  std::vector<std::string> words = {python, "-c", script};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  if (const int error = ::posix_spawnp(&child, python.c_str(), &spawn.actions, nullptr, argv.data(), environ)) {
    throw Error(ErrorKind::not_found, fmt::format("{}: cannot be run ({}); install Python 3 or set WCODEC_PYTHON",
                                                  printable(python), std::strerror(error)));
  }
  writing.reset();
  PythonAnswer answer{0, {}};
  const bool whole = drain(reading.value, answer.output);
  reading.reset();  // a child that still writes gets a broken pipe instead of blocking for ever
  answer.status = wait_for(child);
  if (!whole)
    throw Error(ErrorKind::limit, fmt::format("{}: printed more than {} bytes", printable(python), kMaxOutput));
  return answer;
}

}  // namespace wcodec
