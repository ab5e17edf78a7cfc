#include "baselines/child_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "core/error.hpp"

extern char** environ;

namespace wcodec {
namespace {

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (const auto& text : texts) out.push_back(const_cast<char*>(text.c_str()));  // exec's historical type
  out.push_back(nullptr);
  return out;
}

}  // namespace

void fail_errno(sv what, int error) { throw Error(ErrorKind::io, fmt::format("{}: {}", what, std::strerror(error))); }

void Fd::close() noexcept {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Pipe::Pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail_errno("a pipe could not be made", errno);
  read = Fd(ends[0]);
  write = Fd(ends[1]);
  // A process whose standard streams are closed gets 0, 1 and 2 here, which the child's redirections would overwrite.
  for (Fd* end : {&read, &write}) {
    if (end->get() > 2) continue;
    const int moved = ::fcntl(end->get(), F_DUPFD_CLOEXEC, 3);
    if (moved < 0) fail_errno("a pipe could not be made", errno);
    *end = Fd(moved);
  }
}

void make_our_end(const Fd& fd) {
  if (::fcntl(fd.get(), F_SETFL, O_NONBLOCK) != 0) fail_errno("a pipe could not be made non-blocking", errno);
  ::fcntl(fd.get(), F_SETPIPE_SZ, 1 << 20);  // fewer wake-ups; the kernel's default will do where it refuses
}

bool would_block(int error) noexcept { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

NoSigpipe::NoSigpipe() noexcept {
  sigset_t pending;
  sigpending(&pending);
  was_pending_ = sigismember(&pending, SIGPIPE) == 1;
  sigemptyset(&pipe_);
  sigaddset(&pipe_, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
}

NoSigpipe::~NoSigpipe() {
  if (!was_pending_) {
    const timespec now{};
    while (sigtimedwait(&pipe_, nullptr, &now) < 0 && errno == EINTR) {
    }
  }
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

Child::Child(const std::vector<std::string>& words, int in, int out, int err,
             const std::vector<std::string>& environment) {
  const std::vector<char*> arguments = pointers(words), variables = pointers(environment);

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&actions, in, 0);
  posix_spawn_file_actions_adddup2(&actions, out, 1);
  posix_spawn_file_actions_adddup2(&actions, err, 2);
  sigset_t none, defaults;
  sigemptyset(&none);
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  // Spawned rather than forked: a process that holds gigabytes of weights would copy its page tables.
  const int error = posix_spawnp(&pid_, arguments[0], &actions, &attributes, arguments.data(),
                                 environment.empty() ? environ : variables.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    pid_ = -1;
    throw Error(error == ENOENT ? ErrorKind::not_found : ErrorKind::io,
                fmt::format("'{}' could not be started: {}", printable(words[0]), std::strerror(error)));
  }
}

Child::~Child() {
  if (pid_ <= 0) return;
  // The leader has not been waited for, so its number cannot belong to anyone else yet.
  ::kill(-pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

std::optional<int> Child::wait(Clock::time_point deadline) {
  for (timespec nap{0, 50'000};; nap.tv_nsec = std::min(nap.tv_nsec * 2, 10'000'000L)) {
    int status = 0;
    const pid_t done = ::waitpid(pid_, &status, WNOHANG);
    if (done < 0 && errno != EINTR) {
      pid_ = -1;
      fail_errno("the exit status of a command was lost", errno);
    }
    if (done > 0) {
      pid_ = -1;
      return status;
    }
    if (Clock::now() >= deadline) return std::nullopt;
    ::nanosleep(&nap, nullptr);
  }
}

std::string describe_exit(int status) {
  return WIFSIGNALED(status) ? fmt::format("died of signal {}", WTERMSIG(status))
                             : fmt::format("exited with {}", WEXITSTATUS(status));
}

}  // namespace wcodec
