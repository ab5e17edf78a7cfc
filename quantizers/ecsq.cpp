#include "quantizers/ecsq.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "core/portable_math.hpp"
#include "quantizers/scaling.hpp"

namespace wcodec {
namespace {

constexpr int kLimit = 127;
constexpr OptionInfo kOptions[] = {
    {"step", "0.25", "0.001...16", "step of the grid, in root mean squares of the weights that share it"},
    {"deadzone", "0.5", "0.5...1", "magnitude in steps below which a weight becomes 0; 0.5 rounds to nearest"},
    {"lambda", "0", "0...4", "squared steps of error that a bit saved is worth; 0 looks at no bits"},
    {"axis", "row", "tensor|row|column|group", "which weights share a step"},
    {"group", "0", "2...", "weights of a row that share a step (group=N implies axis=group)"},
    {"scale", "f16", "f32|f16|bf16", kStoredScaleHelp}};

struct Parsed {
  Scaling scaling;
  double step, deadzone, lambda;
};

Parsed parse(const Spec& spec) {
  const OptionReader options(spec, kOptions);
  return {read_unclipped_scaling(options), options.real("step", 0.001, 16), options.real("deadzone", 0.5, 1),
          options.real("lambda", 0, 4)};
}

// Root mean square times `step`, but no less than the largest magnitude needs.
std::vector<float> choose_steps(const MatrixView& matrix, const std::vector<float>& values, const Parsed& parsed) {
  const std::vector<float> largest = absolute_maxima(matrix, values, parsed.scaling);
  std::vector<double> squares(largest.size(), 0.0), counts(largest.size(), 0.0);
  for (i64 r = 0; r < matrix.rows; ++r) {
    for (i64 c = 0; c < matrix.cols; ++c) {
      const u64 index = scale_index(parsed.scaling, matrix.cols, r, c);
      const double value = values[static_cast<std::size_t>(r * matrix.cols + c)];
      squares[index] += value * value;
      counts[index] += 1;
    }
  }
  std::vector<float> steps(largest.size());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const double mean_square = counts[i] > 0 ? squares[i] / counts[i] : 0;
    const auto step = static_cast<float>(parsed.step * std::sqrt(mean_square));
    steps[i] = std::max(step, largest[i] / static_cast<float>(kLimit));
    if (steps[i] == 0.0f) steps[i] = 1.0f;
  }
  return steps;
}

using Costs = std::array<double, 2 * kLimit + 1>;

// λ · bits of each word; words that do not occur cost what one occurrence would.
Costs rate_costs(const std::vector<u8>& words, double lambda) {
  std::array<u64, 2 * kLimit + 1> counts{};
  for (const u8 word : words) ++counts[static_cast<std::size_t>(static_cast<i8>(word) + kLimit)];
  Costs costs;
  for (std::size_t i = 0; i < costs.size(); ++i) {
    const double share = static_cast<double>(std::max<u64>(counts[i], 1)) / static_cast<double>(words.size());
    costs[i] = -lambda * portable_log2(share);
  }
  return costs;
}

int nearest_word(double scaled, double deadzone) noexcept {
  // A tie goes to even without a deadzone, as everywhere else.
  const double magnitude =
      deadzone == 0.5 ? std::nearbyint(std::fabs(scaled)) : std::floor(std::fabs(scaled) + 1 - deadzone);
  const int word = static_cast<int>(std::min(magnitude, static_cast<double>(kLimit)));
  return scaled < 0 ? -word : word;
}

int cheapest_word(double scaled, int nearest, const Costs& costs) noexcept {
  int best = nearest;
  double least = INFINITY;
  for (const int word : {nearest, nearest - (nearest > 0) + (nearest < 0), 0}) {
    const double distance = scaled - word, cost = distance * distance + costs[static_cast<std::size_t>(word + kLimit)];
    if (cost < least) {
      least = cost;
      best = word;
    }
  }
  return best;
}

QuantizedTensor quantize(const MatrixView& matrix, const Spec& spec) {
  const Parsed parsed = parse(spec);
  const std::vector<float> values = to_floats(matrix);
  const std::vector<float> steps = choose_steps(matrix, values, parsed);
  QuantizedTensor out{matrix.rows, matrix.cols, word_format(info(DType::int8)), std::vector<u8>(values.size()), {}};
  const auto each = [&](const auto& word_of) {
    for (i64 r = 0; r < matrix.rows; ++r) {
      for (i64 c = 0; c < matrix.cols; ++c) {
        const auto i = static_cast<std::size_t>(r * matrix.cols + c);
        const double step = steps[scale_index(parsed.scaling, matrix.cols, r, c)];
        out.words[i] = static_cast<u8>(static_cast<i8>(word_of(static_cast<double>(values[i]) / step)));
      }
    }
  };
  each([&](double scaled) { return nearest_word(scaled, parsed.deadzone); });
  for (int pass = 0; pass < 2 && parsed.lambda > 0 && !out.words.empty(); ++pass) {
    const Costs costs = rate_costs(out.words, parsed.lambda);
    each([&](double scaled) { return cheapest_word(scaled, nearest_word(scaled, parsed.deadzone), costs); });
  }
  out.scales = store_scales(matrix.name, steps, parsed.scaling.stored);
  return out;
}

std::vector<float> dequantize(const QuantizedTensor& tensor, const Spec& spec) {
  return dequantize_symmetric(tensor, parse(spec).scaling);
}

}  // namespace

const Quantizer kEcsq = {.name = "ecsq",
                         .help = "uniform grid of a chosen step for entropy coding, with deadzone or choice by rate",
                         .options = kOptions,
                         .numeric = true,
                         .check = [](const Spec& spec) { parse(spec); },
                         .quantize = &quantize,
                         .dequantize = &dequantize};

}  // namespace wcodec
