// A regular file read by position. No memory mapping: a file that shrinks while it is open gives an Error, not a
// signal.
#pragma once

#include <string>

#include "core/types.hpp"

namespace wcodec {

class File {
 public:
  // Throws Error{not_found} or Error{io}; anything but a regular file (a pipe, a device) is refused as unsupported.
  explicit File(const std::string& path);
  ~File();
  File(File&& other) noexcept;
  File& operator=(File&&) = delete;

  const std::string& path() const noexcept { return path_; }
  std::string shown() const;                   // the path as messages print it
  u64 size() const noexcept { return size_; }  // when it was opened
  // Fills `out` from `offset`; callable from many threads. Throws Error{truncated} when the file ends before that.
  void read_at(u64 offset, MutBytes out) const;

 private:
  std::string path_;
  int descriptor_;
  u64 size_;
};

}  // namespace wcodec
