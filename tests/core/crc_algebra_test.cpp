// Checksums put together from those of parts are those that libdeflate computes of the whole.
#include "core/crc_algebra.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "core/hash.hpp"
#include "core/philox.hpp"

namespace wcodec {
namespace {

std::vector<u8> random_bytes(std::size_t size, u64 seed) {
  Philox random(seed, 1);
  std::vector<u8> bytes(size);
  for (u8& byte : bytes) byte = static_cast<u8>(random.below(256));
  return bytes;
}

TEST(CrcAlgebra, PowersFormAGroup) {
  static_assert(crc_power(0) == kCrcOne);
  EXPECT_EQ(crc_power(kCrcOrder), kCrcOne);
  EXPECT_NE(crc_power(kCrcOrder / 3), kCrcOne);
  EXPECT_NE(crc_power(kCrcOrder / 65537), kCrcOne);
  for (const u64 e : {u64{1}, u64{8}, u64{1024}, u64{123456789}, u64{1} << 40}) {
    EXPECT_EQ(crc_times(crc_power(e), crc_power(kCrcOrder - e % kCrcOrder)), kCrcOne) << e;
    EXPECT_EQ(crc_times(crc_power(e), crc_power(7)), crc_power(e + 7)) << e;
  }
}

TEST(CrcAlgebra, PartsBecomeTheWhole) {
  const std::vector<u8> bytes = random_bytes(10000, 3);
  for (const std::size_t cut : {0UL, 1UL, 3UL, 4UL, 4096UL, 9999UL, 10000UL}) {
    const u32 before = crc32(Bytes(bytes).first(cut)), behind = crc32(Bytes(bytes).subspan(cut));
    EXPECT_EQ(crc_append(before, behind, bytes.size() - cut), crc32(bytes)) << cut;
  }
}

TEST(CrcAlgebra, NothingBehindChangesNothing) {
  const std::vector<u8> bytes = random_bytes(100, 3);
  EXPECT_EQ(crc32(Bytes(), crc32(bytes)), crc32(bytes));
  EXPECT_EQ(crc32(Bytes(bytes).subspan(40), crc32(Bytes(bytes).first(40))), crc32(bytes));
}

TEST(CrcAlgebra, WordsInAnyOrder) {
  // A word at byte p of n contributes x^32 · word · x^(8(n − p − 4)): what the GPU adds up, position by position.
  const std::vector<u8> bytes = random_bytes(400, 4);
  u32 raw = 0;
  for (std::size_t p = bytes.size(); p > 0; p -= 4) {
    u32 word = 0;
    for (std::size_t k = 0; k < 4; ++k) word |= u32{bytes[p - 4 + k]} << 8 * k;
    raw ^= crc_times(word, crc_power(32 + 8 * (bytes.size() - p)));
  }
  EXPECT_EQ(crc_of_raw(raw, bytes.size()), crc32(bytes));
}

}  // namespace
}  // namespace wcodec
