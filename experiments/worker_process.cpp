#include "experiments/worker_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>

#include "core/error.hpp"
#include "experiments/worker.hpp"

extern char** environ;

namespace wcodec {
namespace {

struct Pipe {
  int read_end = -1, write_end = -1;

  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
      throw Error(ErrorKind::internal, fmt::format("no pipe to a worker ({})", std::strerror(errno)));
    }
    // Out of the way of the descriptors 0 to 3 that the child is given.
    read_end = ::fcntl(ends[0], F_DUPFD_CLOEXEC, 10);
    write_end = ::fcntl(ends[1], F_DUPFD_CLOEXEC, 10);
    ::close(ends[0]);
    ::close(ends[1]);
  }
};

// Programs that the worker started may have groups of their own, and nobody else would end them.
void kill_descendants(pid_t process) {
  std::ifstream children(fmt::format("/proc/{0}/task/{0}/children", process));
  for (pid_t child = 0; children >> child;) {
    kill_descendants(child);
    ::kill(child, SIGKILL);
  }
}

}  // namespace

bool LineReader::fill(int descriptor) {
  buffer_.erase(0, taken_);
  taken_ = 0;
  char window[1 << 16];
  const auto got = ::read(descriptor, window, sizeof window);
  if (got < 0) return errno == EINTR || errno == EAGAIN;
  buffer_.append(window, static_cast<std::size_t>(got));
  return got > 0;
}

bool LineReader::next(std::string& line) {
  const auto end = buffer_.find('\n', taken_);
  if (end == std::string::npos) return false;
  line.assign(buffer_, taken_, end - taken_);
  taken_ = end + 1;
  return true;
}

WorkerProcess::WorkerProcess(const std::vector<std::string>& command) {
  const Pipe input, results, messages;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input.read_end, 0);
  posix_spawn_file_actions_adddup2(&actions, messages.write_end, 1);
  posix_spawn_file_actions_adddup2(&actions, messages.write_end, 2);
  posix_spawn_file_actions_adddup2(&actions, results.write_end, kResultDescriptor);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  const int failure = posix_spawn(&process_, words[0], &actions, &attributes, words.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  ::close(input.read_end);
  ::close(messages.write_end);
  ::close(results.write_end);
  input_ = input.write_end;
  results_ = results.read_end;
  messages_ = messages.read_end;
  ::fcntl(results_, F_SETFL, O_NONBLOCK);
  ::fcntl(messages_, F_SETFL, O_NONBLOCK);
  if (failure != 0) {
    process_ = -1;
    for (const int descriptor : {input_, results_, messages_}) ::close(descriptor);
    throw Error(ErrorKind::internal, fmt::format("a worker process cannot be started ({})", std::strerror(failure)));
  }
}

WorkerProcess::~WorkerProcess() {
  ::close(input_);  // one that waits for work leaves by itself
  end();
  for (const int descriptor : {results_, messages_}) ::close(descriptor);
}

bool WorkerProcess::write_line(const std::string& line) {
  for (std::size_t sent = 0; sent < line.size();) {
    const auto written = ::write(input_, line.data() + sent, line.size() - sent);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    sent += static_cast<std::size_t>(written);
  }
  return true;
}

std::string WorkerProcess::end() {
  if (process_ < 0) return "ended";
  // A worker that closed its pipe is about to be gone; the kill must not hide why.
  int status = 0;
  pid_t reaped = 0;
  for (int waited = 0; waited < 100 && (reaped = ::waitpid(process_, &status, WNOHANG)) == 0; ++waited) ::usleep(1000);
  if (reaped == 0) kill_descendants(process_);
  ::kill(-process_, SIGKILL);
  while (reaped == 0 || (reaped < 0 && errno == EINTR)) reaped = ::waitpid(process_, &status, 0);
  process_ = -1;
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    return fmt::format("killed by signal {} ({}{})", signal, ::strsignal(signal),
                       signal == SIGKILL ? ", perhaps by the system for want of memory" : "");
  }
  return fmt::format("left with exit status {}", WEXITSTATUS(status));
}

}  // namespace wcodec
