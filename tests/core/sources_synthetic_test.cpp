#include <gmock/gmock.h>

#include <cmath>

#include "core/hash.hpp"
#include "core/portable_math.hpp"
#include "tests/core/checkpoint_files.hpp"

namespace wcodec {
namespace {

using ::testing::HasSubstr;

struct Moments {
  double mean = 0, variance = 0, kurtosis = 0;
};

template <class T>
Moments moments(const std::vector<T>& values) {
  const double n = static_cast<double>(values.size());
  Moments m;
  for (const T x : values) m.mean += static_cast<double>(x) / n;
  double fourth = 0;
  for (const T x : values) {
    const double d = (static_cast<double>(x) - m.mean) * (static_cast<double>(x) - m.mean);
    m.variance += d / n;
    fourth += d * d / n;
  }
  m.kurtosis = m.variance > 0 ? fourth / (m.variance * m.variance) : 0;
  return m;
}

Moments moments_of(const std::string& address) { return moments(values_of<float>(*open_checkpoint(address), 0)); }

TEST(Synthetic, DistributionsHaveTheirMoments) {
  const std::string size = "rows=512,cols=1001,seed=3";
  const Moments gaussian = moments_of("synthetic:gaussian:" + size);
  EXPECT_NEAR(gaussian.mean, 0, 0.01);
  EXPECT_NEAR(gaussian.variance, 1, 0.01);
  EXPECT_NEAR(gaussian.kurtosis, 3, 0.05);
  const Moments laplace = moments_of("synthetic:laplace:" + size);
  EXPECT_NEAR(laplace.variance, 1, 0.01);
  EXPECT_NEAR(laplace.kurtosis, 6, 0.3);
  const Moments uniform = moments_of("synthetic:uniform:" + size);
  EXPECT_NEAR(uniform.variance, 1.0 / 3, 0.005);
  EXPECT_NEAR(uniform.kurtosis, 1.8, 0.01);
  // Student's t: variance df/(df−2), kurtosis 3 + 6/(df−4); an even and an odd number of degrees.
  for (const int df : {9, 12}) {
    const Moments t = moments_of("synthetic:student-t:df=" + std::to_string(df) + "," + size);
    EXPECT_NEAR(t.variance, df / (df - 2.0), 0.02) << df;
    EXPECT_NEAR(t.kurtosis, 3 + 6.0 / (df - 4), 0.3) << df;
  }
  EXPECT_DOUBLE_EQ(moments_of("synthetic:constant:scale=0.25,rows=4,cols=4").mean, 0.25);
}

TEST(Synthetic, SmoothFieldsHaveEqualNeighbours) {
  const auto checkpoint = open_checkpoint("synthetic:smooth:rows=256,cols=256,period=64,seed=5");
  const auto values = values_of<float>(*checkpoint, 0);
  double step = 0;
  for (std::size_t i = 1; i < values.size(); ++i) {
    if (i % 256 != 0) step += std::pow(static_cast<double>(values[i]) - values[i - 1], 2.0);
  }
  const double variance = moments(values).variance;
  EXPECT_GT(variance, 0.3);
  EXPECT_LT(step / 65536, 0.05 * variance);
}

// What makes results comparable between machines: these bits are frozen.
TEST(Synthetic, BitsAreFrozen) {
  const std::pair<const char*, const char*> kHashes[] = {
      {"synthetic:gaussian:rows=33,cols=65,seed=1", "0454b3df8e866eb4f6dddce6b6df2eee"},
      {"synthetic:laplace:rows=33,cols=65,seed=1,dtype=bf16", "6c3b622d6758e265e36fe4fb6b328da6"},
      {"synthetic:student-t:rows=33,cols=65,seed=1,df=5,dtype=f64", "732777f9c75df11cae44d7bae6b7510a"},
      {"synthetic:uniform:rows=33,cols=65,seed=12345678901,scale=0.02", "186c094ecf1e8c40e476821a77121f46"},
      {"synthetic:smooth:rows=33,cols=65,seed=1,period=16", "d8178027e36dd48ff5a010c34245748f"},
  };
  for (const auto& [address, hash] : kHashes)
    EXPECT_EQ(content_hash(open_checkpoint(address)->read(0)), hash) << address;
}

TEST(Synthetic, RowsDoNotDependOnHowTheyAreRead) {
  const auto checkpoint = open_checkpoint("synthetic:student-t:rows=20,cols=7,tensors=2,seed=9");
  for (std::size_t tensor = 0; tensor < 2; ++tensor) {
    const std::vector<u8> whole = checkpoint->read(tensor);
    for (i64 row = 19; row >= 0; --row) {
      std::vector<u8> one(7 * 4);
      checkpoint->read_rows(tensor, row, 1, one);
      EXPECT_TRUE(std::equal(one.begin(), one.end(), whole.begin() + row * 28)) << row;
    }
  }
  EXPECT_NE(checkpoint->read(0), checkpoint->read(1));
  EXPECT_EQ(checkpoint->tensors()[1].name, "student-t.1.weight");
}

TEST(Synthetic, RefusesWhatItCannotMake) {
  EXPECT_THAT(open_error("synthetic:gausian").what(), HasSubstr("did you mean 'gaussian'"));
  EXPECT_EQ(open_error("synthetic:gaussian:rows=0").kind(), ErrorKind::usage);
  EXPECT_EQ(open_error("synthetic:gaussian:rwos=4").kind(), ErrorKind::usage);
  EXPECT_EQ(open_error("synthetic:gaussian:rows=2000000000,cols=2000000000").kind(), ErrorKind::limit);
  EXPECT_EQ(open_error("synthetic:gaussian:dtype=f16").kind(), ErrorKind::usage);
}

TEST(PortableMath, SineAgreesWithLibm) {
  for (double x = -3.0; x < 3.0; x += 0.00137) {
    EXPECT_NEAR(portable_sin2pi(x), std::sin(6.28318530717958647692 * x), 4e-15) << x;
  }
  EXPECT_EQ(portable_sin2pi(0.0), 0.0);
  EXPECT_EQ(portable_sin2pi(0.25), 1.0);
  EXPECT_EQ(portable_sin2pi(123456789.75), -1.0);
}

}  // namespace
}  // namespace wcodec
