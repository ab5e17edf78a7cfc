// The bytes of a source file that belong to no tensor, kept together: in order, and compressed where that helps.
#pragma once

#include <memory>
#include <vector>

#include "codec/container_index.hpp"
#include "core/sources/file.hpp"

namespace wcodec {

// Takes raw bytes as they come. Memory: what they compress to, and a window.
class RawPacker {
 public:
  // `expected` of them are to come.
  explicit RawPacker(u64 expected);
  ~RawPacker();
  void append(Bytes bytes);
  // Fills method, sizes and checksums of `entry`; the bytes to store.
  std::vector<u8> finish(container::FileEntry& entry);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Gives them back piece by piece, in bounded memory. `file` and `entry` must outlive it.
class RawUnpacker {
 public:
  RawUnpacker(const File& file, const container::FileEntry& entry);
  ~RawUnpacker();
  // The next out.size() bytes. Throws Error{corrupt} where they are not there.
  void read(MutBytes out);
  // To be called after the last: nothing may be left over, and the checksums must agree.
  void finish();

 private:
  void refill();
  std::size_t decompress(MutBytes out, std::size_t done);
  [[noreturn]] void fail(const char* what) const;

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace wcodec
