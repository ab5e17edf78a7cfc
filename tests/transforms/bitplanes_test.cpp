// What a prefix of bit planes says of a value: the interval holds it, shrinks, and ends in the value itself.
#include <gtest/gtest.h>

#include <limits>

#include "transforms/bitplanes.hpp"

namespace wcodec {
namespace {

TEST(BitPlanes, IntervalsHoldTheValueAndShrinkToIt) {
  for (const BitOrder order : {BitOrder::offset, BitOrder::sign_magnitude}) {
    for (const i32 limit : {0, 1, 2, 7, 8, 127, 1088}) {
      const int planes = plane_count(order, -limit, limit);
      ASSERT_LE(planes, kMaxCoefficientPlanes);
      for (i32 value = -limit; value <= limit; ++value) {
        const u32 bits = plane_bits(order, planes, value);
        ASSERT_EQ(bits >> planes, 0u);
        i64 radius_before = i64{1} << kMaxBitPlanes;
        for (int known = 0; known <= planes; ++known) {
          const u32 prefix = bits >> (planes - known);
          const KnownInterval i = known_interval(order, planes, prefix, prefix != 0 && value < 0, planes - known);
          ASSERT_LE(i.low, value);
          ASSERT_GE(i.high, value);
          ASSERT_LE(std::max(i.centre() - value, value - i.centre()), i.radius());
          ASSERT_LE(i.radius(), radius_before);
          radius_before = i.radius();
        }
        ASSERT_EQ(radius_before, 0);
      }
    }
  }
}

TEST(BitPlanes, AllOfThirtyTwoBits) {
  constexpr i32 kLow = std::numeric_limits<i32>::min(), kHigh = std::numeric_limits<i32>::max();
  const int planes = plane_count(BitOrder::offset, kLow, kHigh);
  ASSERT_EQ(planes, kMaxBitPlanes);
  for (const i32 value : {kLow, kLow + 1, -1, 0, 1, kHigh - 1, kHigh}) {
    const u32 bits = plane_bits(BitOrder::offset, planes, value);
    for (int known = 0; known <= planes; ++known) {
      const u32 prefix = known == 0 ? 0 : bits >> (planes - known);
      const KnownInterval i = known_interval(BitOrder::offset, planes, prefix, false, planes - known);
      ASSERT_LE(i.low, value);
      ASSERT_GE(i.high, value);
      ASSERT_EQ(i.high - i.low, (i64{1} << (planes - known)) - 1);
    }
  }
}

TEST(BitPlanes, WorkedExamples) {
  // −77 of 8 bits by magnitude: 1001101. After two bits (10): −64…−95, taken for −79.
  const KnownInterval negative = known_interval(BitOrder::sign_magnitude, 7, 0b10, true, 5);
  EXPECT_EQ(negative.low, -95);
  EXPECT_EQ(negative.high, -64);
  EXPECT_EQ(negative.centre(), -79);
  EXPECT_EQ(negative.radius(), 16);
  EXPECT_EQ(known_interval(BitOrder::sign_magnitude, 7, 0, false, 4).radius(), 15);  // not significant yet: 0 ± 15
  const KnownInterval offset = known_interval(BitOrder::offset, 8, 0b01, false, 6);  // −77 + 128 = 51 = 00110011
  EXPECT_EQ(offset.low, -64);
  EXPECT_EQ(offset.high, -1);
  EXPECT_EQ(plane_count(BitOrder::offset, -128, 127), 8);
  EXPECT_EQ(plane_count(BitOrder::sign_magnitude, -128, 127), 8);
  EXPECT_EQ(plane_count(BitOrder::sign_magnitude, -127, 127), 7);
  EXPECT_EQ(plane_count(BitOrder::offset, 0, 0), 0);
  EXPECT_EQ(plane_count(BitOrder::offset, -1, 0), 1);
}

}  // namespace
}  // namespace wcodec
