// One runner a folder.
#pragma once

#include <string>

namespace wcodec {

// Holds `folder`/lock (an flock, so it goes when the process does, however it dies). Creates the folder.
// Throws Error{usage} naming the process that holds it, Error{io} where nothing can be written.
class FolderLock {
 public:
  explicit FolderLock(const std::string& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace wcodec
