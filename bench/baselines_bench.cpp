// Speed of the baselines on Gaussian INT8 symbols, σ = 36: what rows of absmax quantization look like. One thread.
//   MBps: 10^6 raw bytes a second of wall time, which is what external commands need; ratio: raw / compressed bytes.
// The small size shows what a call costs by itself.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "baselines/registry.hpp"
#include "core/philox.hpp"

namespace wcodec {
namespace {

constexpr const char* kSpecs[] = {
    "memcpy",
    "gzip:level=1",
    "gzip",
    "gzip:level=9",
    "libdeflate:level=1",
    "libdeflate",
    "libdeflate:level=12",
    "zstd:level=1",
    "zstd",
    "zstd:level=19",
    "bzip2",
    "lz4",
    "lz4:level=9",
    "xz:level=1",
    "xz",
    "brotli:level=1",
    "brotli:level=5",
    "brotli",
    "external:compress=cat,decompress=cat",
};
constexpr std::size_t kSizes[] = {4'096, 1'000'000};

const std::vector<u8>& symbols(std::size_t size) {
  static std::map<std::size_t, std::vector<u8>> made;
  std::vector<u8>& bytes = made[size];
  if (bytes.empty()) {
    Philox random(1, 0);
    bytes.resize(size);
    for (u8& byte : bytes) byte = static_cast<u8>(std::clamp(std::lround(36 * random.normal()), -127L, 127L) + 128);
  }
  return bytes;
}

void report(benchmark::State& state, std::size_t raw, std::size_t coded) {
  state.counters["MBps"] =
      benchmark::Counter(static_cast<double>(raw) / 1e6, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["ratio"] = static_cast<double>(raw) / static_cast<double>(coded);
}

void compress(benchmark::State& state, const PreparedBaseline& baseline, std::size_t size) {
  const std::vector<u8>& in = symbols(size);
  std::vector<u8> out(baseline.bound(size));
  std::size_t coded = 0;
  Failure why;
  for (auto _ : state) {
    const auto written = baseline.compress(in, out, why);
    if (!written) return state.SkipWithError(std::string(why.text()).c_str());
    coded = *written;
    benchmark::ClobberMemory();
  }
  report(state, size, coded);
}

void decompress(benchmark::State& state, const PreparedBaseline& baseline, std::size_t size) {
  const std::vector<u8>& in = symbols(size);
  std::vector<u8> coded(baseline.bound(size)), out(size);
  Failure why;
  const auto written = baseline.compress(in, coded, why);
  if (!written) return state.SkipWithError(std::string(why.text()).c_str());
  coded.resize(*written);
  for (auto _ : state) {
    if (!baseline.decompress(coded, out, why)) return state.SkipWithError(std::string(why.text()).c_str());
    benchmark::ClobberMemory();
  }
  if (out != in) return state.SkipWithError("decoded to other bytes");
  report(state, size, coded.size());
}

using Run = void (*)(benchmark::State&, const PreparedBaseline&, std::size_t);

void add(const std::string& name, Run run, const PreparedBaseline& baseline, std::size_t size) {
  benchmark::RegisterBenchmark((name + "/" + baseline.spec + "/" + std::to_string(size)).c_str(),
                               [=](benchmark::State& state) { run(state, baseline, size); })
      ->UseRealTime()
      ->Unit(benchmark::kMicrosecond);
}

}  // namespace
}  // namespace wcodec

int main(int argc, char** argv) {
  using namespace wcodec;
  const BaselineRegistry registry;
  for (const char* spec : kSpecs) {
    for (const std::size_t size : kSizes) {
      add("compress", compress, registry.prepare(spec), size);
      add("decompress", decompress, registry.prepare(spec), size);
    }
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
