#include "quantizers/ecsq.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "quantizers/registry.hpp"

namespace wcodec {
namespace {

using ::testing::HasSubstr;

struct Outcome {
  std::vector<int> words;
  double bits = 0, mean_square = 0;  // order-0 entropy of the words, and the error
};

Outcome run(sv text, const std::vector<float>& values, i64 cols) {
  std::vector<u8> bytes(values.size() * 4);
  std::memcpy(bytes.data(), values.data(), bytes.size());
  const QuantizerChoice choice = parse_quantizer(text);
  const auto rows = static_cast<i64>(values.size()) / cols;
  const QuantizedTensor q = choice.row->quantize({"t", DType::f32, rows, cols, bytes}, choice.spec);
  const std::vector<float> back = choice.row->dequantize(q, choice.spec);
  Outcome out;
  std::map<int, double> counts;
  for (std::size_t i = 0; i < values.size(); ++i) {
    out.words.push_back(static_cast<i8>(q.words[i]));
    ++counts[out.words.back()];
    out.mean_square +=
        std::pow(static_cast<double>(values[i]) - static_cast<double>(back[i]), 2) / static_cast<double>(values.size());
  }
  for (const auto& [word, count] : counts)
    out.bits -= count / static_cast<double>(values.size()) * std::log2(count / static_cast<double>(values.size()));
  return out;
}

std::vector<float> gaussian(std::size_t count) {
  Philox random(3, 0);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(random.normal());
  return values;
}

TEST(Ecsq, WordsAsDefined) {
  // Root mean square 2, step 1.
  const std::vector<float> values = {0.5f, -0.74f, 1.5f, -3.61f};
  EXPECT_EQ(run("ecsq:step=0.5,axis=tensor,scale=f32", {1, -1, 3, -std::sqrt(5.0f)}, 4).words,
            (std::vector<int>{1, -1, 3, -2}));
  // A step that would need words above 127 grows.
  const std::vector<float> outlier = {0.001f, 0.001f, 0.001f, 1.0f};
  EXPECT_EQ(run("ecsq:step=0.001,axis=tensor,scale=f32", outlier, 4).words, (std::vector<int>{0, 0, 0, 127}));
  EXPECT_EQ(run("ecsq", {0, 0, 0, 0}, 2).words, (std::vector<int>{0, 0, 0, 0}));
  // |w|/s = 0.25, 0.37, 0.75, 1.8 of a root mean square of 2.00 and a step of 2.00.
  EXPECT_EQ(run("ecsq:step=1,axis=tensor,scale=f32", values, 4).words, (std::vector<int>{0, 0, 1, -2}));
  EXPECT_EQ(run("ecsq:step=1,deadzone=0.8,axis=tensor,scale=f32", values, 4).words, (std::vector<int>{0, 0, 0, -2}));
  EXPECT_EQ(run("ecsq:step=1,deadzone=1,axis=tensor,scale=f32", values, 4).words, (std::vector<int>{0, 0, 0, -1}));
}

TEST(Ecsq, IsAQuarterBitAboveTheBoundOfAGaussianAtHighRate) {
  const Outcome fine = run("ecsq:step=0.125,axis=tensor", gaussian(200000), 200);
  const double bound = -0.5 * std::log2(fine.mean_square);  // of a Gaussian of variance 1
  EXPECT_NEAR(fine.bits - bound, 0.254, 0.01);
}

TEST(Ecsq, RateInTheChoiceIsBetterAtLowRate) {
  // Both fewer bits and less error than a plain grid that is a little too coarse.
  const std::vector<float> values = gaussian(100000);
  const Outcome plain = run("ecsq:step=1.6,axis=tensor", values, 200);
  const Outcome chosen = run("ecsq:step=1.4,lambda=0.1,axis=tensor", values, 200);
  EXPECT_LT(chosen.bits, plain.bits);
  EXPECT_LT(chosen.mean_square, 0.9 * plain.mean_square);
}

TEST(Ecsq, SpecsAreCanonicalAndChecked) {
  EXPECT_EQ(to_string(parse_quantizer("ecsq")), "ecsq:axis=row");
  EXPECT_EQ(to_string(parse_quantizer("ecsq:step=0.5,lambda=0,axis=tensor")), "ecsq:axis=tensor,step=0.5");
  EXPECT_EQ(to_string(parse_quantizer("ecsq:group=64")), "ecsq:group=64");
  for (const char* bad : {"ecsq:step=0", "ecsq:step=17", "ecsq:deadzone=0.4", "ecsq:lambda=-1", "ecsq:clip=mse"})
    EXPECT_THROW(parse_quantizer(bad), Error) << bad;
  EXPECT_THROW(run("ecsq", {1.0f, std::nanf("")}, 2), Error);
}

}  // namespace
}  // namespace wcodec
