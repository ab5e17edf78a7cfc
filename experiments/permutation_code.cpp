#include "experiments/permutation_code.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>
#include <utility>

namespace wcodec {
namespace {

constexpr std::size_t kBlockBits = 4096;

// A natural number, lowest limb first, without leading zeros.
class Natural {
 public:
  explicit Natural(u32 value) {
    if (value != 0) limbs_.push_back(value);
  }
  static Natural from_bytes(Bytes bytes) {
    Natural out(0);
    out.limbs_.resize((bytes.size() + 3) / 4);
    for (std::size_t i = 0; i < bytes.size(); ++i) out.limbs_[i / 4] |= u32{bytes[i]} << (8 * (i % 4));
    out.trim();
    return out;
  }
  bool is_zero() const noexcept { return limbs_.empty(); }
  std::size_t bits() const noexcept {
    return limbs_.empty() ? 0 : 32 * (limbs_.size() - 1) + static_cast<std::size_t>(std::bit_width(limbs_.back()));
  }
  void multiply_add(u32 factor, u32 term) {
    u64 carry = term;
    for (u32& limb : limbs_) {
      carry += u64{limb} * factor;
      limb = static_cast<u32>(carry);
      carry >>= 32;
    }
    if (carry != 0) limbs_.push_back(static_cast<u32>(carry));
  }
  u32 divide(u32 divisor) {  // returns the remainder
    u64 rest = 0;
    for (std::size_t i = limbs_.size(); i-- > 0;) {
      rest = rest << 32 | limbs_[i];
      limbs_[i] = static_cast<u32>(rest / divisor);
      rest %= divisor;
    }
    trim();
    return static_cast<u32>(rest);
  }
  u8 byte(std::size_t index) const noexcept {
    return index / 4 < limbs_.size() ? static_cast<u8>(limbs_[index / 4] >> (8 * (index % 4))) : u8{0};
  }

 private:
  void trim() {
    while (!limbs_.empty() && limbs_.back() == 0) limbs_.pop_back();
  }
  std::vector<u32> limbs_;
};

// A block codes the digits of radix first, first − 1, …, last + 1: as many as fit, never none.
struct Block {
  u32 first, last;
  std::size_t bytes;
};
Block block_from(u32 first) {
  Natural states(1);
  u32 radix = first;
  while (radix > 1 && states.bits() + static_cast<std::size_t>(std::bit_width(radix)) <= kBlockBits)
    states.multiply_add(radix--, 0);
  return {first, radix, (states.bits() + 7) / 8};
}

u32 checked_count(u64 count) {
  if (count > std::numeric_limits<u32>::max())
    throw Error(ErrorKind::limit, "an order of 2^32 rows or more cannot be listed");
  return static_cast<u32>(count);
}

}  // namespace

void write_permutation(std::span<const u32> permutation, LedgerWriter& out) {
  const u32 count = checked_count(permutation.size());
  std::vector<u32> left(permutation.begin(), permutation.end()), place(count);
  for (u32 i = 0; i < count; ++i) place[left[i]] = i;
  for (u32 radix = count; radix > 1;) {
    const Block block = block_from(radix);
    Natural number(0);
    for (; radix > block.last; --radix) {
      const u32 top = radix - 1, digit = left[top];
      std::swap(left[top], left[place[top]]);
      std::swap(place[digit], place[top]);
      number.multiply_add(radix, digit);
    }
    for (std::size_t i = 0; i < block.bytes; ++i) out.write(LedgerEntry::param, number.byte(i));
  }
}

std::vector<u32> read_permutation(ByteReader& in, u64 count) {
  const u32 checked = checked_count(count);
  // log2(n!) is at least n − 1 for n of 1 and more: so many bits before anything is allocated by the count.
  if (count / 8 > in.remaining()) throw Error(ErrorKind::truncated, "an order lists more rows than its bytes can hold");
  std::vector<u32> out(checked), digits;
  std::iota(out.begin(), out.end(), u32{0});
  for (u32 radix = checked; radix > 1;) {
    const Block block = block_from(radix);
    Natural number = Natural::from_bytes(in.take(block.bytes, "order of rows"));
    digits.clear();
    for (u32 r = block.last + 1; r <= block.first; ++r) digits.push_back(number.divide(r));
    if (!number.is_zero()) throw Error(ErrorKind::corrupt, "a number that is no order of rows");
    for (; radix > block.last; --radix) {
      std::swap(out[radix - 1], out[digits.back()]);
      digits.pop_back();
    }
  }
  return out;
}

}  // namespace wcodec
