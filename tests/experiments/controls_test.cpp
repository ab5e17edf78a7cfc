// Controls, bounds and diagnostics: what they keep, what they destroy, and known values.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "codec/tensor_codec.hpp"
#include "core/error.hpp"
#include "core/philox.hpp"
#include "entropy/log2_cost.hpp"
#include "experiments/controls.hpp"
#include "experiments/diagnostics.hpp"
#include "experiments/matrix_scales.hpp"
#include "experiments/mixture_bound.hpp"

namespace wcodec {
namespace {

// Gaussian with a row scale that varies and, when `rho` is not 0, correlation with the left neighbour.
QuantizedTensor gaussian(DType dtype, i64 rows, i64 cols, double sigma, double spread, double rho) {
  Philox random(5, 1);
  QuantizedTensor out{rows, cols, word_format(info(dtype)), {}, {}};
  for (i64 r = 0; r < rows; ++r) {
    const double scale = sigma * std::exp2(spread * random.normal());
    double x = 0;
    for (i64 c = 0; c < cols; ++c) {
      x = rho * x + std::sqrt(1 - rho * rho) * random.normal();
      u32 word = 0;
      if (dtype == DType::f32) {
        word = std::bit_cast<u32>(static_cast<float>(scale * x));
      } else {
        word = static_cast<u32>(static_cast<int>(std::clamp(std::nearbyint(scale * x), -127.0, 127.0)));
      }
      for (int b = 0; b < info(dtype).memory_bytes; ++b) out.words.push_back(static_cast<u8>(word >> (8 * b)));
    }
  }
  return out;
}

double left_correlation(const QuantizedTensor& tensor) {
  Diagnostics out;
  add_correlations(split_planes(tensor)[0], tensor.rows, tensor.cols, out);
  return out.correlations.at(0).rho;  // drow 0, dcol 1
}

std::vector<u8> sorted(std::vector<u8> bytes) {
  std::sort(bytes.begin(), bytes.end());
  return bytes;
}

TEST(Controls, ShuffledRowsKeepEachRowsHistogram) {
  for (const DType dtype : {DType::int8, DType::f32}) {
    const QuantizedTensor original = gaussian(dtype, 20, 300, 20, 0.5, 0.8);
    const QuantizedTensor changed = apply_control(original, "shuffled-rows", 1, "hash");
    const auto row_of = [&](const QuantizedTensor& tensor, i64 row) {
      const std::size_t bytes = tensor.words.size() / 20;
      const auto begin = tensor.words.begin() + row * static_cast<std::ptrdiff_t>(bytes);
      return std::vector<u8>(begin, begin + static_cast<std::ptrdiff_t>(bytes));
    };
    for (i64 row = 0; row < 20; ++row) {
      EXPECT_EQ(sorted(row_of(changed, row)), sorted(row_of(original, row))) << row;
      EXPECT_NE(row_of(changed, row), row_of(original, row)) << row;
    }
  }
}

TEST(Controls, KeepTheHistogramAndDestroyNeighbours) {
  const QuantizedTensor original = gaussian(DType::int8, 200, 300, 20, 0.5, 0.8);
  EXPECT_NEAR(left_correlation(original), 0.8, 0.03);
  for (const char* control : {"shuffled", "shuffled-rows", "gaussian"}) {
    const QuantizedTensor changed = apply_control(original, control, 1, "hash");
    EXPECT_EQ(sorted(changed.words), sorted(original.words)) << control;
    EXPECT_NE(changed.words, original.words);
    // A row that is shuffled keeps its mean, which its neighbours share.
    EXPECT_NEAR(left_correlation(changed), 0.0, sv(control) == "shuffled-rows" ? 0.06 : 0.02) << control;
    EXPECT_EQ(apply_control(original, control, 1, "hash").words, changed.words);
    EXPECT_NE(apply_control(original, control, 2, "hash").words, changed.words);
    EXPECT_NE(apply_control(original, control, 1, "other").words, changed.words);
  }
  EXPECT_EQ(apply_control(original, "original", 1, "hash").words, original.words);
  EXPECT_THROW(apply_control(original, "random-init", 1, "hash"), Error);
}

TEST(Controls, GaussianKeepsRowScalesAndShufflingDoesNot) {
  const QuantizedTensor original = gaussian(DType::int8, 100, 500, 12, 0.7, 0.0);
  const auto spread = [](const QuantizedTensor& tensor) {
    const std::vector<double> rows = matrix_scales(tensor).rows;
    return *std::max_element(rows.begin(), rows.end()) / *std::min_element(rows.begin(), rows.end());
  };
  EXPECT_GT(spread(apply_control(original, "gaussian", 1, "h")), 0.6 * spread(original));
  EXPECT_LT(spread(apply_control(original, "shuffled", 1, "h")), 1.5);
}

TEST(Controls, WorkOnWordsOfEveryWidth) {
  for (const DType dtype : {DType::bf16, DType::f32, DType::f64, DType::int64, DType::int4, DType::uint8}) {
    const DTypeInfo& d = info(dtype);
    QuantizedTensor tensor{
        13, 17, word_format(d), std::vector<u8>(13u * 17u * static_cast<unsigned>(d.memory_bytes)), {}};
    Philox random(1, static_cast<u64>(dtype));
    for (u8& byte : tensor.words)
      byte = static_cast<u8>(dtype == DType::int4 ? static_cast<int>(random.below(16)) - 8
                                                  : static_cast<int>(random.below(256)));
    for (const char* control : {"shuffled", "shuffled-rows", "gaussian"}) {
      const QuantizedTensor changed = apply_control(tensor, control, 7, "h");
      std::vector<u64> before, after;
      for (u64 i = 0; i < tensor.weights(); ++i) {
        before.push_back(load_word(tensor.format, tensor.words.data(), i));
        after.push_back(load_word(changed.format, changed.words.data(), i));
      }
      EXPECT_NE(before, after);
      std::sort(before.begin(), before.end());
      std::sort(after.begin(), after.end());
      EXPECT_EQ(before, after) << d.name << " " << control;
    }
  }
}

TEST(MixtureBound, IsTheEntropyOfAGaussian) {
  // Differential entropy of N(0, σ²) with unit steps: log2(σ·sqrt(2πe)).
  const double expected = std::log2(20.0 * std::sqrt(2 * M_PI * std::exp(1.0)));
  EXPECT_NEAR(mixture_bound_bpw(gaussian(DType::int8, 400, 400, 20, 0.0, 0.0)), expected, 0.02);
  // With row scales known the bound is the mean over rows, below the entropy of the mixture.
  const QuantizedTensor varied = gaussian(DType::int8, 400, 400, 12, 0.6, 0.0);
  std::vector<u64> counts(256);
  for (const u8 word : varied.words) ++counts[word];
  EXPECT_LT(mixture_bound_bpw(varied), entropy_bits(counts) / static_cast<double>(varied.weights()) - 0.05);
  // float32 of the same σ: 24 − 1 mantissa bits below the binade; the constant is that of −log2(spacing) averaged over
  // a Gaussian.
  const double f32 = mixture_bound_bpw(gaussian(DType::f32, 300, 300, 20, 0.0, 0.0));
  EXPECT_GT(f32, 23.0);
  EXPECT_LT(f32, 32.0);
  EXPECT_TRUE(std::isnan(mixture_bound_bpw({1, 1, word_format(info(DType::uint8)), {1}, {}})));
}

TEST(Diagnostics, HistogramsAreSignedAndComplete) {
  const QuantizedTensor tensor = gaussian(DType::int8, 64, 64, 10, 0.0, 0.5);
  const auto planes = split_planes(tensor);
  PlanePredictions predictions(planes[0], {64, 64, {16, 16}});
  Diagnostics out;
  add_histograms(predictions, parse_mode_set({"none", "left"}), out);
  ASSERT_EQ(out.histograms.size(), 2u);
  for (const auto& histogram : out.histograms) {
    u64 total = 0;
    double sum = 0;
    for (const auto& [value, count] : histogram.counts) {
      total += count;
      sum += static_cast<double>(value) * static_cast<double>(count);
    }
    EXPECT_EQ(total, 64u * 64u);
    EXPECT_NEAR(sum / 4096, 0.0, 1.0) << histogram.mode;
  }
}

}  // namespace
}  // namespace wcodec
