#include "experiments/many_comparisons.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "experiments/student.hpp"

namespace wcodec {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::Pointwise;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Worked by hand: sorted 0.005 0.01 0.03 0.04, times 4, 3, 2, 1 and the running maximum.
TEST(Holm, StepsDown) {
  EXPECT_THAT(holm(std::vector{0.01, 0.04, 0.03, 0.005}),
              Pointwise(DoubleNear(1e-15), std::vector{0.03, 0.06, 0.06, 0.02}));
  EXPECT_THAT(holm(std::vector{0.2}), ElementsAre(0.2));
  EXPECT_THAT(holm(std::vector{0.6, 0.7}), ElementsAre(1, 1));
  EXPECT_TRUE(holm({}).empty());
}

// The same times 4/1, 4/2, 4/3, 4/4 and the running minimum from above.
TEST(BenjaminiHochberg, StepsUp) {
  EXPECT_THAT(benjamini_hochberg(std::vector{0.01, 0.04, 0.03, 0.005}),
              Pointwise(DoubleNear(1e-15), std::vector{0.02, 0.04, 0.04, 0.02}));
  EXPECT_THAT(benjamini_hochberg(std::vector{1.0, 0.9}), ElementsAre(1, 1));
}

TEST(Corrections, LeaveOutWhatIsNotJudged) {
  const std::vector p{0.01, kNan, 0.02};
  const auto h = holm(p), q = benjamini_hochberg(p);
  EXPECT_DOUBLE_EQ(h[0], 0.02);
  EXPECT_TRUE(std::isnan(h[1]));
  EXPECT_DOUBLE_EQ(h[2], 0.02);
  EXPECT_TRUE(std::isnan(q[1]));
  EXPECT_DOUBLE_EQ(q[2], 0.02);
}

TEST(Corrections, RefuseWhatIsNoProbability) {
  EXPECT_THROW(holm(std::vector{-0.1}), Error);
  EXPECT_THROW(benjamini_hochberg(std::vector{1.1}), Error);
}

// Uniform p-values hold nothing: Holm lets any stand in about one family of twenty, uncorrected almost all families
// have one.
TEST(Holm, KeepsItsPromiseWhereThereIsNothing) {
  Philox random(3, 0);
  int wrong = 0, uncorrected = 0;
  constexpr int kFamilies = 2000, kSize = 60;
  for (int family = 0; family < kFamilies; ++family) {
    std::vector<double> p(kSize);
    for (double& value : p) value = random.uniform();
    const auto adjusted = holm(p);
    wrong += std::any_of(adjusted.begin(), adjusted.end(), [](double value) { return value <= kSignificance; });
    uncorrected += std::any_of(p.begin(), p.end(), [](double value) { return value <= kSignificance; });
  }
  EXPECT_LT(wrong, 0.065 * kFamilies);
  EXPECT_GT(wrong, 0.035 * kFamilies);
  EXPECT_GT(uncorrected, 0.9 * kFamilies);
}

// Where most hypotheses hold something, few of the conclusions are wrong, and there are more of them than Holm allows.
TEST(BenjaminiHochberg, KeepsTheShareOfWrongOnes) {
  Philox random(4, 0);
  double share = 0, found = 0, found_by_holm = 0;
  constexpr int kFamilies = 500, kTrue = 40, kFalse = 40;
  for (int family = 0; family < kFamilies; ++family) {
    std::vector<double> p;
    for (int i = 0; i < kTrue; ++i) p.push_back(random.uniform());
    for (int i = 0; i < kFalse; ++i) p.push_back(student_upper_tail(std::max(0.0, 3 + random.normal()), 1e6));
    const auto q = benjamini_hochberg(p), h = holm(p);
    const auto stands = [](double value) { return value <= kSignificance; };
    const auto wrong = static_cast<double>(std::count_if(q.begin(), q.begin() + kTrue, stands));
    const auto all = static_cast<double>(std::count_if(q.begin(), q.end(), stands));
    share += all == 0 ? 0 : wrong / all;
    found += all;
    found_by_holm += static_cast<double>(std::count_if(h.begin(), h.end(), stands));
  }
  EXPECT_LT(share / kFamilies, kSignificance);
  EXPECT_GT(found, 1.5 * found_by_holm);
}

// Reference values: SciPy 1.17, scipy.stats.t.sf.
TEST(Student, AgreesWithAnotherImplementation) {
  struct Case {
    double t, freedom, tail;
  };
  constexpr Case kCases[] = {{0.1, 1, 0.46827448256944648},     {1, 1, 0.25},
                             {60, 1, 0.0053046736326232717},    {0.1, 1.5, 0.46602072674348138},
                             {2.5, 1.5, 0.084903251307348021},  {60, 1.5, 0.00081117720670691683},
                             {1, 2, 0.21132486540518711},       {8, 2, 0.0076340360826690698},
                             {2.5, 5, 0.02724504967118813},     {60, 5, 1.2168188794991902e-08},
                             {1, 7.3, 0.17464922822655723},     {8, 7.3, 3.6309866040957217e-05},
                             {0.1, 40, 0.46042192652264008},    {8, 40, 3.952542055052269e-10},
                             {60, 40, 4.155495211860721e-41},   {2.5, 400, 0.0064094333817157918},
                             {60, 400, 2.1007164044042208e-202}};
  for (const Case& c : kCases) {
    EXPECT_NEAR(student_upper_tail(c.t, c.freedom) / c.tail, 1, 1e-10) << c.t << " " << c.freedom;
    EXPECT_NEAR(student_upper_tail(-c.t, c.freedom), 1 - c.tail, 1e-12);
  }
  EXPECT_EQ(student_upper_tail(0, 3), 0.5);
  EXPECT_EQ(student_upper_tail(1e300, 3), 0);
  EXPECT_EQ(student_upper_tail(std::numeric_limits<double>::infinity(), 3), 0);
  EXPECT_TRUE(std::isnan(student_upper_tail(kNan, 3)));
}

}  // namespace
}  // namespace wcodec
