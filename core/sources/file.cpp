#include "core/sources/file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/error.hpp"

namespace wcodec {

// O_NONBLOCK: opening a pipe that nobody writes to must not hang before fstat can refuse it.
File::File(const std::string& path)
    : path_(path), descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)), size_(0) {
  if (descriptor_ < 0) {
    const int error = errno;
    if (error == ENOENT || error == ENOTDIR) {
      throw Error(ErrorKind::not_found, fmt::format("{}: no such file; check the path", shown()));
    }
    throw Error(ErrorKind::io, fmt::format("{}: cannot be opened: {}", shown(), std::strerror(error)));
  }
  struct stat status {};
  const bool known = ::fstat(descriptor_, &status) == 0;
  if (!known || !S_ISREG(status.st_mode)) {
    ::close(descriptor_);
    throw Error(ErrorKind::unsupported, fmt::format("{}: not a regular file, which a checkpoint has to be", shown()));
  }
  size_ = static_cast<u64>(status.st_size);
}

File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

File::File(File&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)), size_(other.size_) {}

std::string File::shown() const { return printable(path_); }

void File::read_at(u64 offset, MutBytes out) const {
  std::size_t done = 0;
  while (done < out.size()) {
    // Linux transfers at most 0x7ffff000 bytes a call; smaller requests keep the loop the same everywhere.
    const std::size_t want = std::min<std::size_t>(out.size() - done, std::size_t{1} << 30);
    const ssize_t got = ::pread(descriptor_, out.data() + done, want, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      throw Error(ErrorKind::io, fmt::format("{}: reading {} bytes at offset {} failed: {}", shown(), out.size(),
                                             offset, std::strerror(errno)));
    }
    if (got == 0) {
      throw Error(ErrorKind::truncated,
                  fmt::format("{}: ends at offset {}, but {} bytes at offset {} were expected; fetch the file again",
                              shown(), offset + done, out.size(), offset));
    }
    done += static_cast<std::size_t>(got);
  }
}

}  // namespace wcodec
