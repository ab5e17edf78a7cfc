#include "experiments/lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "core/error.hpp"

namespace wcodec {

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
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    const int reason = errno;
    char holder[32] = {};
    [[maybe_unused]] const auto read = ::pread(descriptor_, holder, sizeof holder - 1, 0);
    ::close(descriptor_);
    if (reason != EWOULDBLOCK) {
      throw Error(ErrorKind::io, fmt::format("{} cannot be locked ({})", printable(path), std::strerror(reason)));
    }
    holder[std::strcspn(holder, "\n")] = '\0';
    throw Error(ErrorKind::usage,
                fmt::format("another run (process {}) is writing to {}; wait until it is done or choose another --out",
                            holder[0] != '\0' ? printable(holder) : "unknown", printable(folder)));
  }
  // The number only serves the sentence above; the lock itself is the flock.
  const std::string process = fmt::format("{}\n", ::getpid());
  if (::ftruncate(descriptor_, 0) == 0) {
    [[maybe_unused]] const auto written = ::pwrite(descriptor_, process.data(), process.size(), 0);
  }
}

FolderLock::~FolderLock() { ::close(descriptor_); }

}  // namespace wcodec
