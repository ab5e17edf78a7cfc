#include "baselines/process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <optional>
#include <utility>

#include "core/error.hpp"

extern char** environ;

namespace wcodec {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kKeptStderr = 300;

[[noreturn]] void fail_errno(sv what, int error) {
  throw Error(ErrorKind::io, fmt::format("{}: {}", what, std::strerror(error)));
}

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) noexcept : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() { close(); }
  int get() const noexcept { return fd_; }
  bool open() const noexcept { return fd_ >= 0; }
  void close() noexcept {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_ = -1;
};

struct Pipe {
  Fd read, write;

  // Both ends close on exec, so that a command started by another thread does not inherit them and keep them open.
  Pipe() {
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
};

void our_end(const Fd& fd) {
  if (::fcntl(fd.get(), F_SETFL, O_NONBLOCK) != 0) fail_errno("a pipe could not be made non-blocking", errno);
  ::fcntl(fd.get(), F_SETPIPE_SZ, 1 << 20);  // fewer wake-ups; the kernel's default will do where it refuses
}

// Writing to a command that stopped reading raises SIGPIPE in this thread: held back here and swallowed, whatever the
// process does about the signal elsewhere.
class NoSigpipe {
 public:
  NoSigpipe() noexcept {
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  NoSigpipe(const NoSigpipe&) = delete;
  NoSigpipe& operator=(const NoSigpipe&) = delete;
  ~NoSigpipe() {
    if (!was_pending_) {
      const timespec now{};
      while (sigtimedwait(&pipe_, nullptr, &now) < 0 && errno == EINTR) {
      }
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  sigset_t pipe_{}, before_{};
  bool was_pending_ = false;
};

// A started command. Destruction before `wait` kills its group: no exception leaves a process behind.
class Child {
 public:
  Child(const std::vector<std::string>& words, int in, int out, int err) {
    std::vector<char*> arguments;
    for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));  // exec's historical type
    arguments.push_back(nullptr);

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
    const int error = posix_spawnp(&pid_, arguments[0], &actions, &attributes, arguments.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
      pid_ = -1;
      throw Error(error == ENOENT ? ErrorKind::not_found : ErrorKind::io,
                  fmt::format("'{}' could not be started: {}", printable(words[0]), std::strerror(error)));
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ <= 0) return;
    // The leader has not been waited for, so its number cannot belong to anyone else yet.
    ::kill(-pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }

  // The exit status as waitpid gives it, or nothing when `deadline` passed first.
  std::optional<int> wait(Clock::time_point deadline) {
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

 private:
  pid_t pid_ = -1;
};

bool would_block(int error) noexcept { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

// The parent's side of the three pipes.
struct Conversation {
  Fd to, from, errors;
  Bytes in;
  MutBytes out;
  std::size_t received = 0;
  std::string complaint;

  void send() {
    const ssize_t n = ::write(to.get(), in.data(), in.size());
    if (n >= 0) in = in.subspan(static_cast<std::size_t>(n));
    // EPIPE: the command needs no more, which its exit status and output will show to be right or wrong.
    if (in.empty() || (n < 0 && errno == EPIPE)) return to.close();
    if (n < 0 && !would_block(errno)) fail_errno("writing to a command failed", errno);
  }

  void receive() {
    u8 excess = 0;  // read into once `out` is full, to tell the end of the output from one byte too many
    const MutBytes rest = out.subspan(received);
    const ssize_t n = rest.empty() ? ::read(from.get(), &excess, 1) : ::read(from.get(), rest.data(), rest.size());
    if (n == 0) return from.close();
    if (n > 0 && rest.empty()) {
      throw Error(ErrorKind::limit, fmt::format("wrote more than the {} bytes expected", out.size()));
    }
    if (n > 0) received += static_cast<std::size_t>(n);
    if (n < 0 && !would_block(errno)) fail_errno("reading from a command failed", errno);
  }

  void listen() {
    std::array<char, 4096> piece;
    const ssize_t n = ::read(errors.get(), piece.data(), piece.size());
    if (n == 0) return errors.close();
    if (n > 0) complaint.append(piece.data(), std::min(static_cast<std::size_t>(n), kKeptStderr - complaint.size()));
    if (n < 0 && !would_block(errno)) fail_errno("reading from a command failed", errno);
  }

  // False when `deadline` passed before the command closed its outputs.
  bool run(Clock::time_point deadline) {
    if (in.empty()) to.close();
    while (from.open() || errors.open()) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
      if (left <= 0) return false;
      std::array<pollfd, 3> fds{{{to.get(), POLLOUT, 0}, {from.get(), POLLIN, 0}, {errors.get(), POLLIN, 0}}};
      // poll skips negative descriptors, which is what closed ones are.
      if (::poll(fds.data(), fds.size(), static_cast<int>(std::min<i64>(left, 1'000'000))) < 0 && errno != EINTR) {
        fail_errno("waiting for a command failed", errno);
      }
      if (fds[0].revents != 0) send();
      if (fds[1].revents != 0) receive();
      if (fds[2].revents != 0) listen();
    }
    to.close();
    return true;
  }
};

}  // namespace

std::size_t run_filter(const std::vector<std::string>& words, Bytes in, MutBytes out,
                       std::chrono::milliseconds timeout) {
  const NoSigpipe no_sigpipe;
  const Clock::time_point deadline = Clock::now() + timeout;
  const std::string name = printable(words.at(0));
  Pipe to, from, errors;
  Child child(words, to.read.get(), from.write.get(), errors.write.get());
  to.read.close();
  from.write.close();
  errors.write.close();
  for (const Fd* fd : {&to.write, &from.read, &errors.read}) our_end(*fd);

  Conversation talk{std::move(to.write), std::move(from.read), std::move(errors.read), in, out, 0, {}};
  std::optional<int> status;
  try {
    if (talk.run(deadline)) status = child.wait(deadline);
  } catch (const Error& error) {
    throw Error(error.kind(), fmt::format("'{}': {}", name, error.what()));
  }
  if (!status) throw Error(ErrorKind::limit, fmt::format("'{}' did not finish within {} ms", name, timeout.count()));
  if (*status == 0) return talk.received;
  while (!talk.complaint.empty() && talk.complaint.back() == '\n') talk.complaint.pop_back();
  const std::string said = talk.complaint.empty() ? std::string() : fmt::format(": {}", printable(talk.complaint));
  throw Error(ErrorKind::io, WIFSIGNALED(*status)
                                 ? fmt::format("'{}' died of signal {}{}", name, WTERMSIG(*status), said)
                                 : fmt::format("'{}' exited with {}{}", name, WEXITSTATUS(*status), said));
}

}  // namespace wcodec
