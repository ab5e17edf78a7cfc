#include "core/portable_math.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "core/philox.hpp"

namespace wcodec {
namespace {

TEST(PortableMath, LogAgreesWithLibm) {
  for (double x = 1e-300; x < 1e300; x *= 1.37)
    EXPECT_NEAR(portable_log(x), std::log(x), 1e-15 * std::abs(std::log(x)) + 1e-16);
}

TEST(PortableMath, ExpAgreesWithLibm) {
  for (double x = -700; x <= 700; x += 0.73) EXPECT_NEAR(portable_exp(x) / std::exp(x), 1.0, 4e-16) << x;
}

TEST(PortableMath, NormalQuantileInvertsTheDistribution) {
  for (double p = 1e-9; p < 1.0; p = p < 0.01 ? p * 1.7 : p + 0.013) {
    const double back = 0.5 * std::erfc(-portable_normal_quantile(p) / std::sqrt(2.0));
    EXPECT_NEAR(back, p, 1e-13) << p;
  }
}

// Known answer of the reference implementation (Random123 kat_vectors, philox4x32 10 rounds).
TEST(Philox, MatchesPublishedVectors) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (std::array<u32, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (std::array<u32, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
}

TEST(Philox, BelowIsInRangeAndUnbiased) {
  Philox random(1, 2);
  int counts[7] = {};
  for (int i = 0; i < 70000; ++i) ++counts[random.below(7)];
  for (const int count : counts) EXPECT_NEAR(count, 10000, 500);
}

}  // namespace
}  // namespace wcodec
