#include "experiments/results_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "core/error.hpp"

namespace wcodec {
namespace {

[[noreturn]] void fail(const std::string& path, const char* what, int code) {
  throw Error(ErrorKind::io, fmt::format("{}: {}: {}", printable(path), what, std::strerror(code)));
}

class Descriptor {
 public:
  explicit Descriptor(int value) noexcept : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const noexcept { return value_; }
  int release() noexcept { return std::exchange(value_, -1); }

 private:
  int value_;
};

// Removes the temporary file unless the rename has taken it away.
class Temporary {
 public:
  explicit Temporary(std::string path) : path_(std::move(path)) {}
  ~Temporary() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  const char* name() const noexcept { return path_.c_str(); }
  void keep() noexcept { path_.clear(); }

 private:
  std::string path_;
};

void write_all(int file, Bytes bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(path, "writing failed", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

}  // namespace

void write_file_atomically(const std::string& path, Bytes bytes) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  const std::string directory = parent.empty() ? "." : parent.string();
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) fail(directory, "the directory cannot be made", error.value());

  // The process id keeps two writers of one path from sharing a temporary file; O_CREAT keeps the user's umask.
  Temporary temporary(fmt::format("{}.{}.tmp", path, ::getpid()));
  Descriptor file(::open(temporary.name(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (file.get() < 0) fail(path, "cannot be created", errno);
  write_all(file.get(), bytes, path);
  if (::fsync(file.get()) != 0) fail(path, "writing failed", errno);
  if (::close(file.release()) != 0) fail(path, "writing failed", errno);
  if (::rename(temporary.name(), path.c_str()) != 0) fail(path, "cannot be replaced", errno);
  temporary.keep();

  const Descriptor folder(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0) fail(directory, "cannot be opened", errno);
  // Some file systems have no fsync of a directory and say so by EINVAL; their renames are as durable as they get.
  if (::fsync(folder.get()) != 0 && errno != EINVAL) fail(directory, "syncing failed", errno);
}

std::string read_text_file(const std::string& path, std::size_t limit) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    if (errno == ENOENT) throw Error(ErrorKind::not_found, fmt::format("{}: there is no such file", printable(path)));
    fail(path, "cannot be opened", errno);
  }
  std::string text;
  std::string window(std::size_t{1} << 16, '\0');
  while (true) {
    const ssize_t got = ::read(file.get(), window.data(), window.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(path, "reading failed", errno);
    if (got == 0) return text;
    if (text.size() + static_cast<std::size_t>(got) > limit) {
      throw Error(ErrorKind::limit, fmt::format("{}: larger than {} bytes", printable(path), limit));
    }
    text.append(window, 0, static_cast<std::size_t>(got));
  }
}

}  // namespace wcodec
