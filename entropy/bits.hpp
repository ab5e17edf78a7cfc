// Bit strings, lowest bit first, for tables.
#pragma once

#include <bit>

#include "core/bytes.hpp"

namespace wcodec {

class BitWriter {
 public:
  // `count` ≤ 32 low bits of `value`.
  void put(u32 value, int count) {
    pending_ |= u64{value} << used_;
    used_ += count;
    while (used_ >= 8) {
      bytes_.push_back(static_cast<u8>(pending_));
      pending_ >>= 8;
      used_ -= 8;
    }
  }
  // `zeros` zero bits and a one.
  void unary(u32 zeros) {
    for (; zeros >= 32; zeros -= 32) put(0, 32);
    put(u32{1} << zeros, static_cast<int>(zeros) + 1);
  }
  void rice(u32 value, int k) {
    unary(value >> k);
    put(value & ((u32{1} << k) - 1), k);
  }
  // Elias gamma: the length of value + 1 in unary, then its bits below the leading one.
  void gamma(u32 value) {
    const int width = static_cast<int>(std::bit_width(value + 1));
    unary(static_cast<u32>(width - 1));
    put((value + 1) & ((u32{1} << (width - 1)) - 1), width - 1);
  }
  u64 bit_count() const noexcept { return bytes_.size() * 8 + static_cast<u64>(used_); }
  // Pads with zeros to a whole byte.
  std::vector<u8> finish() {
    if (used_ > 0) put(0, 8 - used_);
    return std::move(bytes_);
  }

 private:
  std::vector<u8> bytes_;
  u64 pending_ = 0;
  int used_ = 0;
};

// Takes bytes from a ByteReader one at a time, so that what follows the padding is the next byte. Throws as ByteReader
// does.
class BitReader {
 public:
  explicit BitReader(ByteReader& in, const char* what = "frequency table") noexcept : in_(in), what_(what) {}
  u32 get(int count) {
    while (available_ < count) {
      pending_ |= u64{in_.read<u8>(what_)} << available_;
      available_ += 8;
    }
    const u32 value = static_cast<u32>(pending_ & ((u64{1} << count) - 1));
    pending_ >>= count;
    available_ -= count;
    return value;
  }
  u32 unary(u32 limit) {
    u32 zeros = 0;
    while (get(1) == 0) {
      if (++zeros > limit)
        throw Error(ErrorKind::corrupt, std::string(what_) + ": a code is longer than any value needs");
    }
    return zeros;
  }
  u32 rice(int k, u32 limit) {
    const u32 high = unary(limit >> k);
    return high << k | get(k);
  }
  // Values up to 2^31 − 2.
  u32 gamma() {
    const u32 extra = unary(30);
    return ((u32{1} << extra) | get(static_cast<int>(extra))) - 1;
  }
  // The padding must be zero: a table has one spelling.
  void finish() {
    if (pending_ != 0) throw Error(ErrorKind::corrupt, std::string(what_) + ": padding bits are not zero");
    available_ = 0;
  }

 private:
  ByteReader& in_;
  const char* what_;
  u64 pending_ = 0;
  int available_ = 0;
};

}  // namespace wcodec
