#include "baselines/process.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "baselines/child_process.hpp"
#include "core/error.hpp"

namespace wcodec {
namespace {

using Clock = Child::Clock;

constexpr std::size_t kKeptStderr = 300;

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

std::size_t run_filter(const std::vector<std::string>& words, Bytes in, MutBytes out, std::chrono::milliseconds timeout,
                       const std::vector<std::string>& environment) {
  const NoSigpipe no_sigpipe;
  const Clock::time_point deadline = Clock::now() + timeout;
  const std::string name = printable(words.at(0));
  Pipe to, from, errors;
  Child child(words, to.read.get(), from.write.get(), errors.write.get(), environment);
  to.read.close();
  from.write.close();
  errors.write.close();
  for (const Fd* fd : {&to.write, &from.read, &errors.read}) make_our_end(*fd);

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
  throw Error(ErrorKind::io, fmt::format("'{}' {}{}", name, describe_exit(*status), said));
}

}  // namespace wcodec
