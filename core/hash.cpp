#include "core/hash.hpp"

#include <fmt/format.h>
#include <libdeflate.h>
#include <openssl/evp.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <vector>

#include "core/error.hpp"

namespace wcodec {
namespace {

std::string hex(XXH128_hash_t hash) { return fmt::format("{:016x}{:016x}", hash.high64, hash.low64); }

}  // namespace

std::string content_hash(Bytes bytes) { return hex(XXH3_128bits(bytes.data(), bytes.size())); }

u64 hash64(Bytes bytes) noexcept { return XXH3_64bits(bytes.data(), bytes.size()); }

struct ContentHasher::State {
  XXH3_state_t xxh;
};

ContentHasher::ContentHasher() : state_(std::make_unique<State>()) { XXH3_128bits_reset(&state_->xxh); }
ContentHasher::~ContentHasher() = default;
ContentHasher::ContentHasher(ContentHasher&&) noexcept = default;
void ContentHasher::update(Bytes bytes) { XXH3_128bits_update(&state_->xxh, bytes.data(), bytes.size()); }
std::string ContentHasher::finish() const { return hex(XXH3_128bits_digest(&state_->xxh)); }

std::string sha256_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(ErrorKind::io, fmt::format("{}: cannot be opened for reading", printable(path)));
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  if (!context || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) {
    throw Error(ErrorKind::internal, "SHA-256 is not available in this libcrypto");
  }
  std::vector<char> window(1 << 20);
  while (file.read(window.data(), static_cast<std::streamsize>(window.size())), file.gcount() > 0) {
    EVP_DigestUpdate(context.get(), window.data(), static_cast<std::size_t>(file.gcount()));
  }
  if (file.bad()) throw Error(ErrorKind::io, fmt::format("{}: reading failed", printable(path)));
  std::array<u8, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_DigestFinal_ex(context.get(), digest.data(), &size);
  std::string text;
  for (unsigned i = 0; i < size; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

// libdeflate folds with carry-less multiplication where zlib goes byte by byte. A null pointer means a new beginning to
// it, whatever the seed.
u32 crc32(Bytes bytes, u32 seed) noexcept {
  return bytes.empty() ? seed : libdeflate_crc32(seed, bytes.data(), bytes.size());
}

}  // namespace wcodec
