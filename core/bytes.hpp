// Bounded little-endian reading and writing of byte strings.
#pragma once

#include <bit>
#include <cstring>
#include <vector>

#include "core/error.hpp"
#include "core/types.hpp"

namespace wcodec {

static_assert(std::endian::native == std::endian::little, "formats are little-endian and copied as they stand");

// A cursor over bytes that may be hostile: every read is bounded and throws Error{truncated} naming `what`.
class ByteReader {
 public:
  explicit ByteReader(Bytes bytes) noexcept : bytes_(bytes) {}
  std::size_t position() const noexcept { return position_; }
  std::size_t remaining() const noexcept { return bytes_.size() - position_; }

  template <class T>
  T read(const char* what) {
    T value;
    std::memcpy(&value, take(sizeof(T), what).data(), sizeof(T));
    return value;
  }
  Bytes take(std::size_t size, const char* what) {
    if (size > remaining()) {
      throw Error(ErrorKind::truncated, std::string(what) + " needs " + std::to_string(size) + " bytes at offset " +
                                            std::to_string(position_) + ", only " + std::to_string(remaining()) +
                                            " are left");
    }
    const Bytes part = bytes_.subspan(position_, size);
    position_ += size;
    return part;
  }
  // What lies ahead, without taking it.
  Bytes peek() const noexcept { return bytes_.subspan(position_); }
  // LEB128, at most 64 bits, shortest form only: a value has one spelling.
  u64 varint(const char* what) {
    u64 value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const u8 byte = read<u8>(what);
      if (shift == 63 && byte > 1) break;
      value |= u64{byte & 0x7fu} << shift;
      if ((byte & 0x80) == 0) {
        if (byte == 0 && shift != 0) break;
        return value;
      }
    }
    throw Error(ErrorKind::corrupt,
                std::string(what) + ": malformed variable-length number before offset " + std::to_string(position_));
  }

 private:
  Bytes bytes_;
  std::size_t position_ = 0;
};

class ByteWriter {
 public:
  std::vector<u8> bytes;

  template <class T>
  void write(T value) {
    static_assert(std::is_trivially_copyable_v<T>);
    const std::size_t end = bytes.size();
    bytes.resize(end + sizeof(T));
    std::memcpy(bytes.data() + end, &value, sizeof(T));
  }
  void append(Bytes part) { bytes.insert(bytes.end(), part.begin(), part.end()); }
  void varint(u64 value) {
    while (value >= 0x80) {
      bytes.push_back(static_cast<u8>(value | 0x80));
      value >>= 7;
    }
    bytes.push_back(static_cast<u8>(value));
  }
};

}  // namespace wcodec
