// Files that appear under their names only when they are complete: written to a temporary name in the same directory,
// flushed to the disk, renamed, and the directory flushed too. Whatever goes wrong before that leaves what was there; a
// process that is killed (SIGKILL) leaves its temporary file behind as well, `.wcodec-*.tmp`.
#pragma once

#include <string>

#include "core/types.hpp"

namespace wcodec {

class OutputFile {
 public:
  // Creates the temporary file. Throws Error{usage} when `path` exists and `overwrite` is false, or when it names
  // something that is not a regular file; Error{io} where the directory cannot be written.
  OutputFile(const std::string& path, bool overwrite);
  // Removes the temporary file unless `commit` has renamed it.
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  u64 size() const noexcept { return size_; }
  // Throws Error{io} naming the file and the reason ("No space left on device").
  void append(Bytes bytes);
  void commit();

 private:
  [[noreturn]] void fail(const char* what, int error) const;

  std::string path_, directory_, temporary_;
  bool overwrite_, committed_ = false;
  int descriptor_ = -1;
  u64 size_ = 0;
};

// A new directory of files, all of which appear at once.
class OutputDirectory {
 public:
  // `path` must not exist, or be an empty directory: Error{usage} otherwise.
  explicit OutputDirectory(const std::string& path);
  // Removes everything unless `commit` has renamed it.
  ~OutputDirectory();
  OutputDirectory(const OutputDirectory&) = delete;
  OutputDirectory& operator=(const OutputDirectory&) = delete;

  // Where a file of this name is to be written, with OutputFile, before `commit`.
  std::string file(const std::string& name) const { return temporary_ + "/" + name; }
  void commit();

 private:
  std::string path_, temporary_;
  bool committed_ = false;
};

}  // namespace wcodec
