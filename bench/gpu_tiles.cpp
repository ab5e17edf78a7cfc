// What prediction, transforms and tiles cost on the GPU: a layer of 4096 x 4096 INT8 weights (Gaussian, 7.26 bits),
// decoded from records that have them.
//
//   build/gpu_tiles [--repeats N] [--only SUBSTRING] [--launches]
//
// Rows "chosen": each tile has the predictor that costs least, which on weights is `none` nearly everywhere. Rows
// "mixed": each tile has one of the set at random, so that every predictor is at work; their ratio says nothing.
// "single": one decode between two events, on a copy that the L2 does not hold; "graph": decodes back to back in one
// CUDA graph, each with scratch memory of its own. "plan" is the host's time to make a record ready. --launches runs
// each row once, for a profiler. Every output is compared with the original.
#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>
#include <thread>

#include "codec/gpu_decode.hpp"
#include "codec/gpu_dequantize.hpp"
#include "core/error.hpp"
#include "core/philox.hpp"

namespace wcodec {
namespace {

void check(cudaError_t error) {
  if (error != cudaSuccess) throw Error(ErrorKind::internal, cudaGetErrorString(error));
}

class Memory {
 public:
  explicit Memory(u64 bytes) {
    if (bytes > 0) check(cudaMalloc(&data_, bytes));
  }
  ~Memory() { cudaFree(data_); }
  Memory(const Memory&) = delete;
  Memory(Memory&& other) noexcept : data_(other.data_) { other.data_ = nullptr; }
  u8* get() const noexcept { return static_cast<u8*>(data_); }

 private:
  void* data_ = nullptr;
};

constexpr i64 kSide = 4096;

QuantizedTensor gaussian() {
  QuantizedTensor out{kSide, kSide, word_format(info(DType::int8)), {}, {}};
  out.words.resize(static_cast<std::size_t>(kSide * kSide));
  const unsigned workers = std::max(1u, std::thread::hardware_concurrency());
  std::vector<std::thread> threads;
  for (unsigned w = 0; w < workers; ++w) {
    threads.emplace_back([&, w] {
      Philox random(w, 11);
      for (std::size_t i = out.words.size() * w / workers; i < out.words.size() * (w + 1) / workers; ++i)
        out.words[i] = static_cast<u8>(static_cast<i8>(std::clamp(std::lround(37.1 * random.normal()), -127L, 127L)));
    });
  }
  for (std::thread& thread : threads) thread.join();
  return out;
}

struct Row {
  const char* modes;  // names joined by +
  bool is_mixed;
  TileShape tile;
  const char *transform, *coder;
  bool to_weights = false;

  std::string name() const {
    return fmt::format("{} {} {} {} {}{}", modes, is_mixed ? "mixed" : "chosen", to_string(tile), transform, coder,
                       to_weights ? " to bf16" : "");
  }
};

constexpr const char* kFive = "none+left+top+avg+planar";
constexpr const char* kCoder = "prefix:low=4,chunk=4096";
constexpr Row kRows[] = {{"none", false, kUntiled, "identity", kCoder},
                         {"none", false, {16, 16}, "identity", kCoder},
                         {kFive, false, {16, 16}, "identity", kCoder},
                         {kFive, false, {16, 16}, "probe", kCoder},
                         {kFive, false, {16, 16}, "dct8", kCoder},
                         {kFive, true, {16, 16}, "identity", kCoder},
                         {kFive, true, {16, 16}, "dct8", kCoder},
                         {kFive, true, {16, 16}, "adst8", kCoder},
                         {"left", true, {16, 16}, "identity", kCoder},
                         {"top", true, {16, 16}, "identity", kCoder},
                         {"avg", true, {16, 16}, "identity", kCoder},
                         {"planar", true, {16, 16}, "identity", kCoder},
                         {"med", true, {16, 16}, "identity", kCoder},
                         {"paeth", true, {16, 16}, "identity", kCoder},
                         {"row-mean", true, {16, 16}, "identity", kCoder},
                         {"ls:neighbours=3", true, {16, 16}, "identity", kCoder},
                         {"ls:neighbours=8", true, {16, 16}, "identity", kCoder},
                         {kFive, true, {8, 32}, "dct8", kCoder},
                         {kFive, true, {32, 8}, "dct8", kCoder},
                         {kFive, true, {64, 64}, "dct8", kCoder},
                         {kFive, true, {128, 128}, "dct8", kCoder},
                         {"none", false, kUntiled, "identity", kCoder, true},
                         {kFive, true, {16, 16}, "identity", kCoder, true}};

// Scales of groups of 128 weights, on the device and here.
struct Scales {
  std::vector<float> values;
  ScalePlaces places = scale_places({.axis = Axis::group, .group = 128}, kSide);
  Memory memory;

  Scales() : values(static_cast<std::size_t>(kSide * kSide / 128)), memory(values.size() * sizeof(float)) {
    Philox random(8, 9);
    for (float& scale : values) scale = static_cast<float>(0.001 * std::exp(random.normal()));
    check(cudaMemcpy(memory.get(), values.data(), values.size() * sizeof(float), cudaMemcpyHostToDevice));
  }
  GpuDequantize how() const {
    return {FloatOutput::bf16, places, reinterpret_cast<const float*>(memory.get()), nullptr};
  }
};

// Each tile has a mode drawn at random.
ModeChoice mixed(const SymbolPlane& plane, const TileGrid& grid, const std::vector<PredictorChoice>& modes) {
  ModeChoice out = PlanePredictions(plane, grid).choose(modes);
  if (modes.size() == 1) return out;
  Philox random(3, 5);
  for (u64 t = 0; t < out.mode_of_tile.size(); ++t) {
    out.mode_of_tile[t] = static_cast<u8>(random.below(static_cast<u32>(modes.size())));
    const PredictorChoice& mode = modes[out.mode_of_tile[t]];
    const auto tile = static_cast<i64>(t);
    mode.row->residual(grid.tile(plane.symbols.data(), tile), predictor_context(mode, plane.info.zero, plane.info.bits),
                       out.residuals.data() + grid.offset(tile));
  }
  return out;
}

std::vector<u8> encode(const QuantizedTensor& tensor, const Row& row) {
  const std::vector<PredictorChoice> modes = parse_mode_set([&] {
    std::vector<std::string> names(1);
    for (const char c : sv(row.modes)) {
      if (c == '+') {
        names.emplace_back();
      } else {
        names.back() += c;
      }
    }
    return names;
  }());
  const TransformSet transforms = parse_transform_set(row.transform);
  if (!row.is_mixed) return encode_tensor(tensor, row.tile, modes, parse_coder(row.coder), transforms).bytes;
  const std::vector<SymbolPlane> planes = split_planes(tensor);
  const TileGrid grid{tensor.rows, tensor.cols, row.tile};
  const std::vector<ModeChoice> choices = {mixed(planes[0], grid, modes)};
  return encode_record(tensor, planes, row.tile, modes, choices, parse_coder(row.coder), transforms,
                       transform_planes(planes, choices, grid, transforms))
      .bytes;
}

template <class Body>
double milliseconds(int repeats, cudaStream_t stream, const Body& body) {
  cudaEvent_t begin, end;
  check(cudaEventCreate(&begin));
  check(cudaEventCreate(&end));
  std::vector<float> times;
  for (int i = 0; i < repeats + 3; ++i) {
    check(cudaEventRecord(begin, stream));
    body(static_cast<std::size_t>(i));
    check(cudaEventRecord(end, stream));
    check(cudaEventSynchronize(end));
    float ms;
    check(cudaEventElapsedTime(&ms, begin, end));
    if (i >= 3) times.push_back(ms);
  }
  cudaEventDestroy(begin);
  cudaEventDestroy(end);
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

void measure(const QuantizedTensor& tensor, const Row& row, const std::vector<u8>& record, const Scales& scales,
             int repeats) {
  const auto start = std::chrono::steady_clock::now();
  const GpuPlan plan = plan_gpu_decode(record);
  const double plan_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  std::vector<u8> output = tensor.words;
  if (row.to_weights) {
    output.resize(2 * tensor.words.size());
    dequantize_words(tensor, scales.places, scales.values, {}, FloatOutput::bf16, output);
  }
  constexpr std::size_t kCopies = 8;
  std::vector<Memory> images, words, scratch;
  for (std::size_t c = 0; c < kCopies; ++c) {
    images.emplace_back(plan.image.size());
    words.emplace_back(output.size());
    scratch.emplace_back(row.to_weights ? gpu_weights_scratch_size(plan) : plan.scratch_size());
    check(cudaMemcpy(images.back().get(), plan.image.data(), plan.image.size(), cudaMemcpyHostToDevice));
    check(cudaMemset(words.back().get(), 0xa5, output.size()));
  }
  const Memory status_memory(8);
  u64* const status = reinterpret_cast<u64*>(status_memory.get());
  check(cudaMemset(status, 0, 8));
  cudaStream_t stream;
  check(cudaStreamCreate(&stream));
  const auto decode = [&](std::size_t i) {
    const std::size_t c = i % kCopies;
    if (row.to_weights) {
      gpu_decode_weights(plan, scales.how(), images[c].get(), words[c].get(), scratch[c].get(), status, stream);
    } else {
      gpu_decode(plan, images[c].get(), words[c].get(), scratch[c].get(), status, stream);
    }
  };
  double single = 0, graph_ms = 0;
  if (repeats == 0) {
    decode(0);
  } else {
    single = milliseconds(repeats, stream, decode);
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    for (std::size_t i = 0; i < 2 * kCopies; ++i) decode(i);
    check(cudaStreamEndCapture(stream, &graph));
    check(cudaGraphInstantiate(&exec, graph, 0));
    graph_ms =
        milliseconds(repeats, stream, [&](std::size_t) { check(cudaGraphLaunch(exec, stream)); }) / (2 * kCopies);
    cudaGraphExecDestroy(exec);
    cudaGraphDestroy(graph);
  }
  check(cudaStreamSynchronize(stream));
  cudaStreamDestroy(stream);
  u64 reported;
  check(cudaMemcpy(&reported, status, 8, cudaMemcpyDeviceToHost));
  check_gpu_status(reported);
  std::vector<u8> back(output.size());
  for (std::size_t c = 0; c < (repeats == 0 ? 1 : kCopies); ++c) {
    check(cudaMemcpy(back.data(), words[c].get(), back.size(), cudaMemcpyDeviceToHost));
    if (back != output) throw Error(ErrorKind::internal, row.name() + ": the output is not the original");
  }
  const auto size = static_cast<double>(back.size());
  std::cout << fmt::format("{:72} {:>7.4f} {:>9.4f} {:>9.4f} {:>8.0f} {:>8.1f}\n", row.name(),
                           static_cast<double>(tensor.words.size()) / static_cast<double>(record.size()), single,
                           graph_ms, graph_ms > 0 ? size / graph_ms * 1e-6 : 0.0, plan_ms)
            << std::flush;
}

int run(int argc, char** argv) {
  int repeats = 20;
  std::string only;
  for (int i = 1; i < argc; ++i) {
    const sv name = argv[i];
    if (name == "--launches") {
      repeats = 0;
    } else if (name == "--repeats" && i + 1 < argc) {
      repeats = std::max(1, std::stoi(argv[++i]));
    } else if (name == "--only" && i + 1 < argc) {
      only = argv[++i];
    } else {
      throw Error(ErrorKind::usage, fmt::format("'{}' is not an option, or its value is missing", name));
    }
  }
  if (const std::string why = why_no_gpu(); !why.empty()) {
    std::cout << why << "\n";
    return 0;
  }
  const QuantizedTensor tensor = gaussian();
  std::vector<std::vector<u8>> records(std::size(kRows));
  std::vector<std::thread> threads;
  for (std::size_t r = 0; r < records.size(); ++r) {
    if (kRows[r].name().find(only) == std::string::npos) continue;
    threads.emplace_back([&, r] { records[r] = encode(tensor, kRows[r]); });
  }
  for (std::thread& thread : threads) thread.join();
  std::cout << fmt::format("{:72} {:>7} {:>9} {:>9} {:>8} {:>8}\n", "4096 x 4096 INT8", "ratio", "single ms",
                           "graph ms", "GB/s", "plan ms");
  const Scales scales;
  for (std::size_t r = 0; r < records.size(); ++r) {
    if (!records[r].empty()) measure(tensor, kRows[r], records[r], scales, repeats);
  }
  return 0;
}

}  // namespace
}  // namespace wcodec

int main(int argc, char** argv) {
  try {
    return wcodec::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "gpu_tiles: " << error.what() << "\n";
    return 1;
  }
}
