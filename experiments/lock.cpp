#include "experiments/lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "core/error.hpp"

namespace wcodec {
namespace {

std::string read_holder(int descriptor) {
  char text[32] = {};
  const auto size = ::pread(descriptor, text, sizeof text - 1, 0);
  return size <= 0 ? std::string() : std::string(text, std::strcspn(text, "\n"));
}

}  // namespace

FolderLock::FolderLock(const std::string& folder) {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure) {
    throw Error(ErrorKind::io, fmt::format("{} cannot be created ({})", printable(folder), failure.message()));
  }
  const std::string path = folder + "/lock";
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0) {
    throw Error(ErrorKind::io, fmt::format("{} cannot be written ({})", printable(path), std::strerror(errno)));
  }
  // A killed runner's lock may outlive it for a moment, until a worker that it was just starting has become the worker.
  for (int tries = 0; ::flock(descriptor_, LOCK_EX | LOCK_NB) != 0; ++tries) {
    const int reason = errno;
    const std::string holder = read_holder(descriptor_);
    const pid_t process = std::atoi(holder.c_str());
    const bool gone = process > 0 && ::kill(process, 0) != 0 && errno == ESRCH;
    if (reason == EWOULDBLOCK && gone && tries < 500) {
      ::usleep(10'000);
      continue;
    }
    ::close(descriptor_);
    if (reason != EWOULDBLOCK) {
      throw Error(ErrorKind::io, fmt::format("{} cannot be locked ({})", printable(path), std::strerror(reason)));
    }
    throw Error(ErrorKind::usage,
                fmt::format("another run (process {}) is writing to {}; wait until it is done or choose another --out",
                            holder.empty() ? "unknown" : printable(holder), printable(folder)));
  }
  // The number only serves the sentence above; the lock itself is the flock.
  const std::string process = fmt::format("{}\n", ::getpid());
  if (::ftruncate(descriptor_, 0) == 0) {
    [[maybe_unused]] const auto written = ::pwrite(descriptor_, process.data(), process.size(), 0);
  }
}

FolderLock::~FolderLock() { ::close(descriptor_); }

}  // namespace wcodec
