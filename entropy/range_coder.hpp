// A binary range coder (Martin 1979, with the carry propagation of Schindler's and Pavlov's coders): bits with adaptive
// probabilities, one after the other. For research: it has no lanes, so it is slow and stays so.
#pragma once

#include <algorithm>
#include <vector>

#include "core/types.hpp"

namespace wcodec {

// Probability that a bit is 0, in units of 2^-16: the mean of a fast and a slow estimate, which learns quickly and
// settles.
class AdaptiveBit {
 public:
  u32 probability() const noexcept { return std::clamp<u32>((u32{fast_} + slow_) / 2, 32, 65536 - 32); }
  void update(bool bit, int rate) noexcept {
    fast_ = next(fast_, bit, rate);
    slow_ = next(slow_, bit, rate + 3);
  }

 private:
  static u16 next(u16 p, bool bit, int rate) noexcept {
    return static_cast<u16>(bit ? p - (p >> rate) : p + ((65535 - p) >> rate));
  }
  u16 fast_ = 32768, slow_ = 32768;
};

class RangeEncoder {
 public:
  explicit RangeEncoder(std::vector<u8>& out) noexcept : out_(out) {}
  void put(bool bit, u32 probability) {
    const u32 bound = (range_ >> 16) * probability;
    if (bit) {
      low_ += bound;
      range_ -= bound;
    } else {
      range_ = bound;
    }
    while (range_ < u32{1} << 24) {
      shift();
      range_ <<= 8;
    }
  }
  void finish() {
    for (int i = 0; i < 5; ++i) shift();
  }

 private:
  // The top byte leaves when no carry can reach it any more; bytes of 255 wait with it.
  void shift() {
    if (low_ < 0xff000000u || low_ >> 32 != 0) {
      const auto carry = static_cast<u8>(low_ >> 32);
      if (started_) out_.push_back(static_cast<u8>(held_ + carry));
      out_.insert(out_.end(), waiting_, static_cast<u8>(0xff + carry));
      waiting_ = 0;
      held_ = static_cast<u8>(low_ >> 24);
      started_ = true;
    } else {
      ++waiting_;
    }
    low_ = (low_ & 0x00ffffff) << 8;
  }

  std::vector<u8>& out_;
  u64 low_ = 0, waiting_ = 0;
  u32 range_ = ~u32{0};
  u8 held_ = 0;
  bool started_ = false;  // the first byte is always zero and is not written
};

// Reads zeros past the end and remembers that it did.
class RangeDecoder {
 public:
  explicit RangeDecoder(Bytes in) noexcept : in_(in) {
    for (int i = 0; i < 4; ++i) code_ = code_ << 8 | next();
  }
  bool get(u32 probability) noexcept {
    const u32 bound = (range_ >> 16) * probability;
    const bool bit = code_ >= bound;
    if (bit) {
      code_ -= bound;
      range_ -= bound;
    } else {
      range_ = bound;
    }
    while (range_ < u32{1} << 24) {
      code_ = code_ << 8 | next();
      range_ <<= 8;
    }
    return bit;
  }
  // Exactly the bytes that the encoder wrote have been read.
  bool ended() const noexcept { return position_ == in_.size(); }

 private:
  u32 next() noexcept { return position_ < in_.size() ? in_[position_++] : (position_ = in_.size() + 1, 0); }

  Bytes in_;
  std::size_t position_ = 0;
  u32 code_ = 0, range_ = ~u32{0};
};

}  // namespace wcodec
