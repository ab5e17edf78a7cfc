#include "baselines/peer_worker.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>

#include "baselines/child_process.hpp"
#include "core/error.hpp"

namespace wcodec {
namespace {

using Clock = Child::Clock;

constexpr std::chrono::minutes kStart{3};  // importing a large package from a cold disk
constexpr std::size_t kKeptStderr = 300;
constexpr std::size_t kMaxReason = 4096;
constexpr std::size_t kAnswerHead = 20;

template <class T>
void append(std::vector<u8>& to, T value) {
  std::array<u8, sizeof value> bytes;
  std::memcpy(bytes.data(), &value, sizeof value);
  to.insert(to.end(), bytes.begin(), bytes.end());
}

template <class T>
T read(const std::array<u8, kAnswerHead>& from, std::size_t at) {
  T value;
  std::memcpy(&value, from.data() + at, sizeof value);
  return value;
}

struct Pipes {
  Pipe to, from, errors;
};

}  // namespace

// One process and our ends of its streams.
class PeerWorker::Running {
 public:
  Running(const std::vector<std::string>& command, const std::vector<std::string>& environment)
      : Running(command, environment, Pipes{}) {}

  // Sends a request, or nothing for the greeting, and waits for the answer.
  Answer exchange(Bytes head, Bytes body, MutBytes out, Clock::time_point deadline) {
    if (pollfd early{from_.get(), POLLIN, 0}; !head.empty() && ::poll(&early, 1, 0) == 1 && early.revents == POLLIN)
      throw Error(ErrorKind::corrupt, "answered before it was asked");
    unsent_ = {head, body};
    answer_at_ = 0;
    body_size_ = 0;
    body_to_ = {};
    reason_.clear();
    while (!complete()) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
      if (left <= 0) throw Error(ErrorKind::limit, "gave no answer in time");
      const bool sends = !unsent_[0].empty() || !unsent_[1].empty();
      std::array<pollfd, 3> fds{
          {{sends ? to_.get() : -1, POLLOUT, 0}, {from_.get(), POLLIN, 0}, {errors_.get(), POLLIN, 0}}};
      if (::poll(fds.data(), fds.size(), static_cast<int>(std::min<i64>(left, 1'000'000))) < 0 && errno != EINTR) {
        fail_errno("waiting for an answer failed", errno);
      }
      if (fds[0].revents != 0) send();
      if (fds[1].revents != 0) receive(out, deadline);
      if (fds[2].revents != 0) listen();
    }
    if (!unsent_[0].empty() || !unsent_[1].empty()) throw Error(ErrorKind::corrupt, "answered before it had it all");
    if (read<u32>(answer_, 0) != 0) throw Error(ErrorKind::unsupported, printable(reason_));
    const auto seconds = read<double>(answer_, 4);
    if (!std::isfinite(seconds) || seconds < 0) throw Error(ErrorKind::corrupt, "reported a time that is none");
    return {body_size_, seconds};
  }

 private:
  Running(const std::vector<std::string>& command, const std::vector<std::string>& environment, Pipes pipes)
      : child_(command, pipes.to.read.get(), pipes.from.write.get(), pipes.errors.write.get(), environment),
        to_(std::move(pipes.to.write)),
        from_(std::move(pipes.from.read)),
        errors_(std::move(pipes.errors.read)) {
    for (const Fd* fd : {&to_, &from_, &errors_}) make_our_end(*fd);
  }

  bool complete() const { return answer_at_ == kAnswerHead && body_to_.empty(); }

  void send() {
    Bytes& next = unsent_[0].empty() ? unsent_[1] : unsent_[0];
    const ssize_t n = ::write(to_.get(), next.data(), next.size());
    if (n >= 0) {
      next = next.subspan(static_cast<std::size_t>(n));
    } else if (errno == EPIPE) {
      unsent_ = {};  // it is about to be seen to have died
    } else if (!would_block(errno)) {
      fail_errno("writing to it failed", errno);
    }
  }

  void receive(MutBytes out, Clock::time_point deadline) {
    const MutBytes into = answer_at_ < kAnswerHead ? MutBytes(answer_).subspan(answer_at_) : body_to_;
    const ssize_t n = ::read(from_.get(), into.data(), into.size());
    if (n == 0) died(deadline);
    if (n < 0) {
      if (!would_block(errno)) fail_errno("reading from it failed", errno);
      return;
    }
    if (answer_at_ == kAnswerHead) {
      body_to_ = body_to_.subspan(static_cast<std::size_t>(n));
      return;
    }
    answer_at_ += static_cast<std::size_t>(n);
    if (answer_at_ == kAnswerHead) start_body(out);
  }

  void start_body(MutBytes out) {
    const auto status = read<u32>(answer_, 0);
    const auto size = read<u64>(answer_, 12);
    if (status > 1) throw Error(ErrorKind::corrupt, "gave an answer of no known kind");
    const std::size_t room = status == 0 ? out.size() : kMaxReason;
    if (size > room) {
      throw Error(ErrorKind::limit, fmt::format("answered with {} bytes where at most {} were expected", size, room));
    }
    body_size_ = static_cast<std::size_t>(size);
    if (status == 0) {
      body_to_ = out.first(body_size_);
    } else {
      reason_.resize(body_size_);
      body_to_ = MutBytes(reinterpret_cast<u8*>(reason_.data()), body_size_);
    }
  }

  void listen() {
    std::array<char, 4096> piece;
    const ssize_t n = ::read(errors_.get(), piece.data(), piece.size());
    if (n == 0) return errors_.close();
    if (n < 0) {
      if (!would_block(errno)) fail_errno("reading from it failed", errno);
      return;
    }
    said_.append(piece.data(), static_cast<std::size_t>(n));
    if (said_.size() > kKeptStderr) said_.erase(0, said_.size() - kKeptStderr);
  }

  // Its output ended: says how it went and what its last words were.
  [[noreturn]] void died(Clock::time_point deadline) {
    const auto status = child_.wait(std::min(deadline, Clock::now() + std::chrono::seconds(5)));
    for (std::string before = "-"; errors_.open() && before != said_;) {
      before = said_;
      listen();
    }
    while (!said_.empty() && said_.back() == '\n') said_.pop_back();
    const auto line = said_.rfind('\n');
    const std::string last = line == std::string::npos ? said_ : said_.substr(line + 1);
    throw Error(ErrorKind::io, fmt::format("{}{}{}", status ? describe_exit(*status) : "closed its output",
                                           last.empty() ? "" : ": ", printable(last)));
  }

  Child child_;
  Fd to_, from_, errors_;
  std::array<Bytes, 2> unsent_;
  std::array<u8, kAnswerHead> answer_{};
  std::size_t answer_at_ = 0, body_size_ = 0;
  MutBytes body_to_;  // what of the body is still to come
  std::string reason_, said_;
};

PeerWorker::PeerWorker(std::vector<std::string> command, std::vector<std::string> environment)
    : command_(std::move(command)), environment_(std::move(environment)) {}

PeerWorker::~PeerWorker() = default;

PeerWorker::Answer PeerWorker::call(const std::string& head, Bytes in, MutBytes out,
                                    std::chrono::milliseconds timeout) {
  const std::lock_guard lock(turn_);
  const NoSigpipe no_sigpipe;
  std::vector<u8> request;
  append(request, static_cast<u32>(head.size()));
  append(request, static_cast<u64>(in.size()));
  request.insert(request.end(), head.begin(), head.end());
  try {
    if (!running_) {
      running_ = std::make_unique<Running>(command_, environment_);
      std::array<u8, 256> version;
      try {
        running_->exchange({}, {}, version, Clock::now() + kStart);
      } catch (const Error&) {
        running_.reset();  // one that cannot work is of no use either
        throw;
      }
    }
    return running_->exchange(request, in, out, Clock::now() + timeout);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unsupported) running_.reset();
    throw;
  }
}

}  // namespace wcodec
