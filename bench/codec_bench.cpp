// Speed of the stages a sweep is made of, on Gaussian int8 weights of one 1536 x 384 matrix: predicting, choosing
// modes, coding, decoding. items = weights. `build/codec_bench --benchmark_filter=…`; figures with their machine are in
// docs/performance.md.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>

#include "codec/tensor_codec.hpp"
#include "core/philox.hpp"
#include "experiments/controls.hpp"
#include "experiments/mixture_bound.hpp"

namespace wcodec {
namespace {

constexpr i64 kRows = 1536, kCols = 384;

QuantizedTensor gaussian() {
  QuantizedTensor tensor{kRows, kCols, word_format(info(DType::int8)), {}, {}};
  Philox random(1, 0);
  for (i64 r = 0; r < kRows; ++r) {
    const double scale = 36 * std::exp2(0.2 * random.normal());
    for (i64 c = 0; c < kCols; ++c) {
      tensor.words.push_back(static_cast<u8>(static_cast<int>(std::clamp(random.normal() * scale, -127.0, 127.0))));
    }
  }
  return tensor;
}

void count_weights(benchmark::State& state) { state.SetItemsProcessed(state.iterations() * kRows * kCols); }

void choose_modes(benchmark::State& state, const std::vector<std::string>& names) {
  const QuantizedTensor tensor = gaussian();
  const auto planes = split_planes(tensor);
  const auto modes = parse_mode_set(names);
  for (auto _ : state) {
    PlanePredictions predictions(planes[0], {kRows, kCols, {16, 16}});
    benchmark::DoNotOptimize(predictions.choose(modes));
  }
  count_weights(state);
}

void encode(benchmark::State& state, const char* coder) {
  const QuantizedTensor tensor = gaussian();
  const auto planes = split_planes(tensor);
  const auto modes = parse_mode_set({"none"});
  const std::vector<ModeChoice> choices = {PlanePredictions(planes[0], {kRows, kCols, {16, 16}}).choose(modes)};
  const CoderChoice choice = parse_coder(coder);
  std::size_t size = 0;
  for (auto _ : state) size = encode_record(tensor, planes, {16, 16}, modes, choices, choice).bytes.size();
  count_weights(state);
  state.counters["bpw"] = 8.0 * static_cast<double>(size) / (kRows * kCols);
}

void decode(benchmark::State& state, const char* coder, const std::vector<std::string>& modes) {
  const EncodedTensor encoded = encode_tensor(gaussian(), {16, 16}, parse_mode_set(modes), parse_coder(coder));
  for (auto _ : state) benchmark::DoNotOptimize(decode_tensor(encoded.bytes));
  count_weights(state);
}

void control(benchmark::State& state, const char* name) {
  const QuantizedTensor tensor = gaussian();
  for (auto _ : state) benchmark::DoNotOptimize(apply_control(tensor, name, 1, "bench"));
  count_weights(state);
}

void mixture_bound(benchmark::State& state) {
  const QuantizedTensor tensor = gaussian();
  for (auto _ : state) benchmark::DoNotOptimize(mixture_bound_bpw(tensor));
  count_weights(state);
}

BENCHMARK_CAPTURE(choose_modes, none, {"none"});
BENCHMARK_CAPTURE(choose_modes, none_left, {"none", "left"});
BENCHMARK_CAPTURE(choose_modes, five, {"none", "left", "top", "avg", "planar"});
BENCHMARK_CAPTURE(encode, raw, "raw");
BENCHMARK_CAPTURE(encode, tensor, "rans:tables=tensor");
BENCHMARK_CAPTURE(encode, row_scale, "rans:tables=row-scale,contexts=32");
BENCHMARK_CAPTURE(encode, row_col_scale, "rans:tables=row-col-scale,contexts=32");
BENCHMARK_CAPTURE(encode, tile, "rans:tables=tile");
BENCHMARK_CAPTURE(decode, tensor, "rans:tables=tensor", {"none"});
BENCHMARK_CAPTURE(decode, row_col_scale, "rans:tables=row-col-scale,contexts=32", {"none"});
BENCHMARK_CAPTURE(decode, tensor_left, "rans:tables=tensor", {"left"});
BENCHMARK_CAPTURE(decode, tile, "rans:tables=tile", {"none"});
BENCHMARK_CAPTURE(control, shuffled, "shuffled");
BENCHMARK_CAPTURE(control, gaussian, "gaussian");
BENCHMARK(mixture_bound);

}  // namespace
}  // namespace wcodec

BENCHMARK_MAIN();
