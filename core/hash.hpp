// Names made from content: XXH3-128 for tensors and cells, SHA-256 for provenance.
#pragma once

#include <memory>
#include <string>

#include "core/types.hpp"

namespace wcodec {

// 32 hex digits.
std::string content_hash(Bytes bytes);
inline std::string content_hash(sv text) {
  return content_hash(Bytes(reinterpret_cast<const u8*>(text.data()), text.size()));
}
u64 hash64(Bytes bytes) noexcept;  // XXH3-64, for seeds

// Content hash of a byte string that arrives in pieces.
class ContentHasher {
 public:
  ContentHasher();
  ~ContentHasher();
  ContentHasher(ContentHasher&&) noexcept;
  void update(Bytes bytes);
  std::string finish() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// 64 hex digits; reads the file in bounded windows. Throws Error{io}.
std::string sha256_file(const std::string& path);

// IEEE CRC-32, the one of zlib and PNG. `seed` is the CRC of what came before.
u32 crc32(Bytes bytes, u32 seed = 0) noexcept;

}  // namespace wcodec
