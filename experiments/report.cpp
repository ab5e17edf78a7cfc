#include "experiments/report.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

#include "core/error.hpp"

extern char** environ;

namespace wcodec {
namespace {

namespace fs = std::filesystem;

std::string find_python() {
  if (const char* named = std::getenv("WCODEC_PYTHON"); named != nullptr && *named != '\0') return named;
  for (const char* root : {WCODEC_PROJECT_DIR, "."}) {
    const fs::path python = fs::path(root) / ".venv/bin/python";
    if (std::error_code ignored; fs::exists(python, ignored)) return python.string();
  }
  return "python3";
}

// The environment with the project's Python sources in front of PYTHONPATH.
std::vector<std::string> environment() {
  std::vector<std::string> variables;
  std::string path = std::string(WCODEC_PROJECT_DIR) + "/python";
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (std::strncmp(*variable, "PYTHONPATH=", 11) == 0) {
      path += std::string(":") + (*variable + 11);
    } else {
      variables.emplace_back(*variable);
    }
  }
  variables.push_back("PYTHONPATH=" + path);
  return variables;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

struct Finished {
  int failure = 0;  // errno of the start
  int status = 0;
  std::string out, error;
};

Finished run_program(const std::vector<std::string>& words) {
  Finished finished;
  std::array<std::array<int, 2>, 2> pipes{};
  for (auto& ends : pipes) {
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
      finished.failure = errno;
      return finished;
    }
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, pipes[0][1], 1);
  posix_spawn_file_actions_adddup2(&actions, pipes[1][1], 2);
  const std::vector<std::string> variables = environment();
  pid_t process = -1;
  finished.failure =
      posix_spawnp(&process, words[0].c_str(), &actions, nullptr, pointers(words).data(), pointers(variables).data());
  posix_spawn_file_actions_destroy(&actions);
  for (auto& ends : pipes) ::close(ends[1]);
  std::array<pollfd, 2> open = {pollfd{pipes[0][0], POLLIN, 0}, pollfd{pipes[1][0], POLLIN, 0}};
  const std::array<std::string*, 2> texts = {&finished.out, &finished.error};
  while (open[0].fd >= 0 || open[1].fd >= 0) {
    if (::poll(open.data(), open.size(), -1) < 0 && errno != EINTR) break;
    for (std::size_t i = 0; i < open.size(); ++i) {
      if (open[i].fd < 0 || open[i].revents == 0) continue;
      char window[4096];
      const auto got = ::read(open[i].fd, window, sizeof window);
      if (got > 0) {
        texts[i]->append(window, static_cast<std::size_t>(got));
      } else if (got == 0 || errno != EINTR) {
        open[i].fd = -1;
      }
    }
  }
  for (auto& ends : pipes) ::close(ends[0]);
  if (finished.failure == 0) {
    while (::waitpid(process, &finished.status, 0) < 0 && errno == EINTR) {
    }
  }
  return finished;
}

std::string last_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const auto start = text.rfind('\n');
  return start == std::string::npos ? text : text.substr(start + 1);
}

}  // namespace

ReportOutcome make_report(const std::string& folder, bool json) {
  const std::string python = find_python();
  std::vector<std::string> words = {python, "-m", "wcodec_report", folder};
  if (json) words.emplace_back("--json");
  const Finished finished = run_program(words);
  if (finished.failure != 0) {
    return {
        ReportStatus::no_python,
        fmt::format("plots and the page need Python, and {} cannot be started ({}); set WCODEC_PYTHON to one that has "
                    "the packages of requirements.txt",
                    printable(python), std::strerror(finished.failure))};
  }
  if (WIFEXITED(finished.status) && WEXITSTATUS(finished.status) == 0) return {ReportStatus::made, finished.out};
  const std::string last = printable(last_line(finished.error));
  constexpr sv kMissing = "ModuleNotFoundError: ";
  if (last.rfind(kMissing, 0) == 0) {
    return {ReportStatus::no_python,
            fmt::format("plots and the page need Python packages that {} lacks ({}); install requirements.txt, or set "
                        "WCODEC_PYTHON to a Python that has them",
                        printable(python), last.substr(kMissing.size()))};
  }
  constexpr sv kOwn = "wcodec report: ";
  return {ReportStatus::failed, last.rfind(kOwn, 0) == 0
                                    ? last.substr(kOwn.size())
                                    : fmt::format("Python said: {}", last.empty() ? "nothing" : last)};
}

}  // namespace wcodec
