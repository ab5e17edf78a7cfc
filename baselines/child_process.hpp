// A started program with pipes to its standard streams: what filters and workers have in common.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/types.hpp"

namespace wcodec {

// An owned file descriptor.
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
  void close() noexcept;

 private:
  int fd_ = -1;
};

// Both ends close on exec, so that a program started by another thread does not inherit them and keep them open, and
// neither is a standard stream. Throws Error{io}.
struct Pipe {
  Pipe();
  Fd read, write;
};

// Throws Error{io} with what `error` (an errno) means.
[[noreturn]] void fail_errno(sv what, int error);

// Makes the parent's end of a pipe non-blocking and as large as the system allows. Throws Error{io}.
void make_our_end(const Fd& fd);

// An errno of a non-blocking read or write that says "later".
bool would_block(int error) noexcept;

// Writing to a program that stopped reading raises SIGPIPE in this thread: held back while this lives and swallowed,
// whatever the process does about the signal elsewhere.
class NoSigpipe {
 public:
  NoSigpipe() noexcept;
  NoSigpipe(const NoSigpipe&) = delete;
  NoSigpipe& operator=(const NoSigpipe&) = delete;
  ~NoSigpipe();

 private:
  sigset_t pipe_{}, before_{};
  bool was_pending_ = false;
};

// A started program, in a process group of its own. Destruction before `wait` kills the group: no exception leaves a
// process behind.
class Child {
 public:
  using Clock = std::chrono::steady_clock;

  // `words`: the program, found through PATH, and its arguments; no shell. The descriptors become its standard streams.
  // `environment`: NAME=VALUE each; empty: that of this process. Throws Error{not_found} when there is no such program,
  // and Error{io} when it cannot be started for another reason.
  Child(const std::vector<std::string>& words, int in, int out, int err,
        const std::vector<std::string>& environment = {});
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();

  // The exit status as waitpid gives it, or nothing when `deadline` passed first. Call it no more once it gave one.
  std::optional<int> wait(Clock::time_point deadline);

 private:
  pid_t pid_ = -1;
};

// "exited with 1", "died of signal 11", from an exit status as waitpid gives it.
std::string describe_exit(int status);

}  // namespace wcodec
