#include "core/output_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <random>
#include <utility>

#include "core/error.hpp"

namespace wcodec {
namespace {

namespace fs = std::filesystem;

// Not derived from the final name, which may already be as long as a name can be.
std::string temporary_name() {
  std::random_device random;
  return fmt::format(".wcodec-{:08x}{:08x}.tmp", random(), random());
}

std::string directory_of(const std::string& path) {
  const std::string parent = fs::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

// A rename lives in the directory: without this it may be lost with the power.
void flush_directory(const std::string& directory) {
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;  // a directory that may be written but not read: the rename itself has succeeded
  const int failed = ::fsync(descriptor) != 0 ? errno : 0;
  ::close(descriptor);
  // Some file systems cannot flush a directory and say so; then there is nothing to be done.
  if (failed != 0 && failed != EINVAL && failed != ENOTSUP) {
    throw Error(ErrorKind::io,
                fmt::format("{}: the directory cannot be flushed: {}", printable(directory), std::strerror(failed)));
  }
}

// Renames without ever replacing what another has put there meanwhile, where the file system can promise that.
int rename_to_new(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  return ::rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
}

}  // namespace

OutputFile::OutputFile(const std::string& path, bool overwrite) : path_(path), overwrite_(overwrite) {
  std::error_code ignored;
  const fs::file_status status = fs::status(path, ignored);
  if (path.empty() || path.find('\0') != std::string::npos) {
    throw Error(ErrorKind::usage, fmt::format("'{}' is no name for a file", printable(path)));
  }
  if (fs::exists(status)) {
    if (!fs::is_regular_file(status)) {
      throw Error(ErrorKind::usage,
                  fmt::format("{}: exists and is not a regular file; give another destination", printable(path)));
    }
    if (!overwrite) {
      throw Error(ErrorKind::usage,
                  fmt::format("{}: exists already; remove it or ask to overwrite it (--force)", printable(path)));
    }
    // What a symbolic link points to is replaced, not the link.
    if (const fs::path real = fs::canonical(path, ignored); !real.empty()) path_ = real.string();
  }
  directory_ = directory_of(path_);
  for (int attempt = 0; descriptor_ < 0 && attempt < 16; ++attempt) {
    temporary_ = directory_ + "/" + temporary_name();
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ < 0 && errno != EEXIST) break;
  }
  if (descriptor_ < 0) fail("cannot be created", errno);
}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!committed_) ::unlink(temporary_.c_str());
}

void OutputFile::fail(const char* what, int error) const {
  throw Error(ErrorKind::io, fmt::format("{}: {}: {}", printable(path_), what, std::strerror(error)));
}

void OutputFile::append(Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(descriptor_, bytes.data(), std::min<std::size_t>(bytes.size(), std::size_t{1} << 30));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail("cannot be written", errno);
    size_ += static_cast<u64>(put);
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
}

void OutputFile::commit() {
  if (::fsync(descriptor_) != 0) fail("cannot be flushed to the disk", errno);
  const int descriptor = std::exchange(descriptor_, -1);
  // What close reports was lost: network file systems write late.
  if (::close(descriptor) != 0 && errno != EINTR) fail("cannot be written", errno);
  const int error =
      overwrite_ ? (::rename(temporary_.c_str(), path_.c_str()) == 0 ? 0 : errno) : rename_to_new(temporary_, path_);
  if (error != 0) fail("cannot be given its name", error);
  committed_ = true;
  flush_directory(directory_);
}

OutputDirectory::OutputDirectory(const std::string& path) : path_(path) {
  while (path_.size() > 1 && path_.back() == '/') path_.pop_back();
  std::error_code ignored;
  if (path_.empty() || path_.find('\0') != std::string::npos) {
    throw Error(ErrorKind::usage, fmt::format("'{}' is no name for a directory", printable(path)));
  }
  if (fs::exists(path_, ignored) && !(fs::is_directory(path_, ignored) && fs::is_empty(path_, ignored))) {
    throw Error(ErrorKind::usage,
                fmt::format("{}: exists already; a checkpoint of several files needs a new or empty directory",
                            printable(path_)));
  }
  temporary_ = directory_of(path_) + "/" + temporary_name();
  if (::mkdir(temporary_.c_str(), 0777) != 0) {
    throw Error(ErrorKind::io, fmt::format("{}: cannot be created: {}", printable(path_), std::strerror(errno)));
  }
}

OutputDirectory::~OutputDirectory() {
  std::error_code ignored;
  if (!committed_) fs::remove_all(temporary_, ignored);
}

void OutputDirectory::commit() {
  flush_directory(temporary_);
  // rename replaces an empty directory and nothing else.
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    throw Error(ErrorKind::io, fmt::format("{}: cannot be given its name: {}", printable(path_), std::strerror(errno)));
  }
  committed_ = true;
  flush_directory(directory_of(path_));
}

}  // namespace wcodec
