// Files that the tests of the checkpoint readers make, byte by byte.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "core/error.hpp"
#include "core/sources/source.hpp"
#include "tests/core/file_bytes.hpp"

namespace wcodec {

// A directory of its own for the running test, removed afterwards.
class TestDirectory {
 public:
  TestDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "wcodec-test-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TestDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TestDirectory(const TestDirectory&) = delete;
  TestDirectory& operator=(const TestDirectory&) = delete;

  std::string path(const std::string& name) const { return (path_ / name).string(); }
  std::string write(const std::string& name, const std::string& bytes) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return path(name);
  }

 private:
  std::filesystem::path path_;
};

template <class T>
std::vector<T> values_of(const Checkpoint& checkpoint, std::size_t index) {
  const std::vector<u8> bytes = checkpoint.read(index);
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  return values;
}

// The error that opening gives; a failed test where it gives none.
inline Error open_error(const std::string& address, const OpenOptions& options = {}) {
  try {
    open_checkpoint(address, options);
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << address << " was opened";
  return Error(ErrorKind::internal, "opened");
}

}  // namespace wcodec
