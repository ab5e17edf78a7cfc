// How many files this process has open: none may be left by a child process that has ended.
#pragma once

#include <dirent.h>

namespace wcodec::test {

inline int open_files() {
  DIR* directory = ::opendir("/proc/self/fd");
  if (directory == nullptr) return 0;
  int count = 0;
  while (::readdir(directory) != nullptr) ++count;
  ::closedir(directory);
  return count;
}

}  // namespace wcodec::test
