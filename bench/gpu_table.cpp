// Decoding on the GPU, on the same bytes in one process: what a copy and a plain expansion reach, our coders, at the
// size of one layer and far beyond. Ratio and speed come from one record; every output is compared with the original.
//
//   build/gpu_table [--sizes 16,64,1024] [--only DATA] [--coder SUBSTRING] [--repeats N] [--json FILE]
//
// Decoded bytes a second, all compressed bytes counted in the ratio. "graph": launches back to back in one CUDA graph,
// rotating through as many copies of input and output as exceed the L2. "single": one launch between two events, on a
// copy that the L2 does not hold. Data: Gaussian weights with the entropies that MiniLM's matrices have as INT8 by row
// (7.26 bits) and by tensor (4.87 bits), and Gaussian bf16 with rows of different scale.
#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>
#include <thread>

#include "codec/gpu_decode.hpp"
#include "core/error.hpp"
#include "core/philox.hpp"

namespace wcodec {
namespace {

void check(cudaError_t error) {
  if (error != cudaSuccess) throw Error(ErrorKind::internal, cudaGetErrorString(error));
}

u8* allocate(u64 bytes) {
  void* data = nullptr;
  check(cudaMalloc(&data, bytes));
  return static_cast<u8*>(data);
}

constexpr u64 kColumns = 4096;

// The same bits on every machine are not needed here, speed is: a block of 2^20 values, rows drawn from it.
QuantizedTensor gaussian(const std::string& kind, u64 bytes) {
  const bool is_bf16 = kind == "bf16";
  QuantizedTensor out;
  out.format = word_format(info(is_bf16 ? DType::bf16 : DType::int8));
  out.cols = static_cast<i64>(kColumns);
  out.rows = static_cast<i64>(bytes / kColumns / static_cast<u64>(out.format.memory_bytes));
  out.words.resize(bytes);
  const double sigma = kind == "int8ch" ? 37.1 : 7.07;
  const auto fill = [&](u64 first, u64 last, u64 seed) {
    Philox random(seed, 7);
    for (u64 row = first; row < last; ++row) {
      const double scale = 0.02 * std::exp(0.3 * random.normal());
      for (u64 c = 0; c < kColumns; ++c) {
        const u64 i = row * kColumns + c;
        if (is_bf16) {
          const u32 bits = std::bit_cast<u32>(static_cast<float>(scale * random.normal()));
          const auto word = static_cast<u16>(bits >> 16);
          std::memcpy(out.words.data() + 2 * i, &word, 2);
        } else {
          out.words[i] =
              static_cast<u8>(static_cast<i8>(std::clamp(std::lround(sigma * random.normal()), -127L, 127L)));
        }
      }
    }
  };
  // As many rows of their own as 16 MiB have; beyond, rows of these in another order.
  const u64 rows = static_cast<u64>(out.rows), own = std::min<u64>(rows, 4096), row_bytes = out.words.size() / rows;
  const u64 workers = std::max(1u, std::thread::hardware_concurrency());
  std::vector<std::thread> threads;
  for (u64 w = 0; w < workers; ++w) threads.emplace_back(fill, own * w / workers, own * (w + 1) / workers, w);
  for (std::thread& thread : threads) thread.join();
  Philox random(99, 7);
  for (u64 row = own; row < rows; ++row)
    std::memcpy(out.words.data() + row * row_bytes, out.words.data() + random.below(static_cast<u32>(own)) * row_bytes,
                row_bytes);
  return out;
}

struct Job {
  std::string data, coder;
  u64 mebibytes;
  const QuantizedTensor* tensor = nullptr;
  std::size_t record_size = 0;
  GpuPlan plan;
};

struct Device {
  std::vector<u8*> images, words;
  u64* status = nullptr;
  u8* scratch = nullptr;

  Device(const GpuPlan& plan, std::size_t copies) {
    for (std::size_t c = 0; c < copies; ++c) {
      u8 *const image = allocate(plan.image.size()), *const out = allocate(plan.words_size());
      check(cudaMemcpy(image, plan.image.data(), plan.image.size(), cudaMemcpyHostToDevice));
      check(cudaMemset(out, 0xa5, plan.words_size()));
      images.push_back(image);
      words.push_back(out);
    }
    status = reinterpret_cast<u64*>(allocate(8));
    check(cudaMemset(status, 0, 8));
    if (plan.scratch_size() > 0) scratch = allocate(plan.scratch_size());
  }
  ~Device() {
    for (u8* p : images) cudaFree(p);
    for (u8* p : words) cudaFree(p);
    cudaFree(status);
    cudaFree(scratch);
  }
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Seconds of one launch, the median of `repeats`; `launch(i)` is given the number of the launch.
template <class Launch>
double time_single(int repeats, cudaStream_t stream, Launch&& launch) {
  cudaEvent_t begin, end;
  check(cudaEventCreate(&begin));
  check(cudaEventCreate(&end));
  std::vector<double> seconds;
  for (int i = 0; i < repeats + 3; ++i) {
    check(cudaEventRecord(begin, stream));
    launch(static_cast<std::size_t>(i));
    check(cudaEventRecord(end, stream));
    check(cudaEventSynchronize(end));
    float ms;
    check(cudaEventElapsedTime(&ms, begin, end));
    if (i >= 3) seconds.push_back(1e-3 * ms);
  }
  cudaEventDestroy(begin);
  cudaEventDestroy(end);
  return median(seconds);
}

// Seconds a launch, of `launches` captured one after another in a graph.
template <class Launch>
double time_graph(int repeats, std::size_t launches, cudaStream_t stream, Launch&& launch) {
  cudaGraph_t graph;
  cudaGraphExec_t exec;
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  for (std::size_t i = 0; i < launches; ++i) launch(i);
  check(cudaStreamEndCapture(stream, &graph));
  check(cudaGraphInstantiate(&exec, graph, 0));
  const double seconds = time_single(repeats, stream, [&](std::size_t) { check(cudaGraphLaunch(exec, stream)); });
  cudaGraphExecDestroy(exec);
  cudaGraphDestroy(graph);
  return seconds / static_cast<double>(launches);
}

struct Result {
  double ratio, single, graph;
};

Result measure(const Job& job, int repeats) {
  const GpuPlan& plan = job.plan;
  const u64 bytes = plan.words_size();
  const std::size_t copies = std::max<u64>(2, (u64{200} << 20) / bytes + 1);
  const Device device(plan, copies);
  cudaStream_t stream;
  check(cudaStreamCreate(&stream));
  const auto launch = [&](std::size_t i) {
    gpu_decode(plan, device.images[i % copies], device.words[i % copies], device.scratch, device.status, stream);
  };
  Result result;
  result.ratio = static_cast<double>(bytes) / static_cast<double>(job.record_size);
  result.single = static_cast<double>(bytes) / time_single(repeats, stream, launch) * 1e-9;
  result.graph =
      static_cast<double>(bytes) / time_graph(repeats, std::max<std::size_t>(2, 2 * copies), stream, launch) * 1e-9;
  std::vector<u8> back(bytes);
  u64 status;
  check(cudaMemcpy(&status, device.status, 8, cudaMemcpyDeviceToHost));
  check_gpu_status(status);
  for (u8* words : device.words) {
    check(cudaMemcpy(back.data(), words, bytes, cudaMemcpyDeviceToHost));
    if (back != job.tensor->words) throw Error(ErrorKind::internal, job.coder + ": the output is not the original");
  }
  cudaStreamDestroy(stream);
  return result;
}

double copy_speed(u64 bytes, int repeats) {
  u8 *const from = allocate(bytes), *const to = allocate(bytes);
  check(cudaMemset(from, 0x5a, bytes));
  const double seconds = time_single(repeats, nullptr, [&](std::size_t) {
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, nullptr));
  });
  cudaFree(from);
  cudaFree(to);
  return 2 * static_cast<double>(bytes) / seconds * 1e-9;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == ',') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

int run(int argc, char** argv) {
  std::string sizes = "16,64,1024", only, coder, json;
  int repeats = 20;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--sizes")
      sizes = argv[i + 1];
    else if (name == "--only")
      only = argv[i + 1];
    else if (name == "--coder")
      coder = argv[i + 1];
    else if (name == "--repeats")
      repeats = std::stoi(argv[i + 1]);
    else if (name == "--json")
      json = argv[i + 1];
    else
      throw Error(ErrorKind::usage, "unknown argument " + name);
  }
  if (const std::string why = why_no_gpu(); !why.empty()) {
    std::cout << why << "\n";
    return 0;
  }
  const struct {
    const char *data, *coder;
    std::vector<int> chunks;
  } rows[] = {{"int8ch", "prefix:low=4", {2048, 4096, 8192, 16384, 65536}},
              {"int8ch", "prefix:low=2", {4096, 8192, 16384, 65536}},
              {"int8ch", "rans:precision=12", {4096, 8192, 16384, 65536}},
              {"int8pt", "prefix:low=2", {4096, 8192, 16384, 65536}},
              {"int8pt", "rans:precision=12", {4096, 8192, 16384, 65536}},
              {"bf16", "prefix", {2048, 4096, 8192, 16384, 65536}}};
  std::vector<std::unique_ptr<QuantizedTensor>> tensors;
  std::vector<Job> jobs;
  for (const std::string& size : split(sizes)) {
    const u64 mebibytes = std::stoull(size);
    for (const char* data : {"int8ch", "int8pt", "bf16"}) {
      if (!only.empty() && only.find(data) == std::string::npos) continue;
      tensors.push_back(std::make_unique<QuantizedTensor>(gaussian(data, mebibytes << 20)));
      for (const auto& row : rows) {
        if (sv(row.data) != data) continue;
        for (const int chunk : row.chunks) {
          if (mebibytes >= 1024 ? chunk < 16384 : chunk > 16384) continue;
          if (!coder.empty() && sv(row.coder).find(coder) == sv::npos) continue;
          jobs.push_back({data, fmt::format("{},chunk={}", row.coder, chunk), mebibytes, tensors.back().get(), 0, {}});
          if (jobs.back().coder.starts_with("prefix,")) jobs.back().coder[6] = ':';
        }
      }
    }
  }
  std::atomic<std::size_t> next{0};
  std::vector<std::thread> threads;
  for (unsigned w = 0; w < std::max(1u, std::thread::hardware_concurrency()); ++w) {
    threads.emplace_back([&] {
      for (std::size_t j = next++; j < jobs.size(); j = next++) {
        const EncodedTensor encoded =
            encode_tensor(*jobs[j].tensor, kUntiled, parse_mode_set({"none"}), parse_coder(jobs[j].coder));
        jobs[j].record_size = encoded.bytes.size();
        jobs[j].plan = plan_gpu_decode(encoded.bytes);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  cudaDeviceProp device{};
  check(cudaGetDeviceProperties(&device, 0));
  const double copied = copy_speed(u64{1} << 30, repeats);
  std::cout << fmt::format("{}, {} multiprocessors; copy of 1 GiB, read + write: {:.0f} GB/s\n", device.name,
                           device.multiProcessorCount, copied);
  std::cout << fmt::format("{:>5} {:7} {:30} {:>7} {:>8} {:>8} {:>8} {:>6}\n", "MiB", "data", "coder", "ratio",
                           "single", "graph", "limit", "of it");
  std::ofstream out;
  if (!json.empty()) out.open(json);
  for (const Job& job : jobs) {
    const Result r = measure(job, repeats);
    const double limit = copied / (1 + 1 / r.ratio);
    std::cout << fmt::format("{:>5} {:7} {:30} {:>7.4f} {:>8.0f} {:>8.0f} {:>8.0f} {:>5.0f}%\n", job.mebibytes,
                             job.data, job.coder, r.ratio, r.single, r.graph, limit,
                             100 * std::max(r.graph, r.single) / limit)
              << std::flush;
    if (out.is_open()) {
      out << fmt::format(
          "{{\"mib\": {}, \"data\": \"{}\", \"coder\": \"{}\", \"ratio\": {:.5f}, \"single_gbs\": {:.1f}, "
          "\"graph_gbs\": {:.1f}, \"copy_gbs\": {:.1f}}}\n",
          job.mebibytes, job.data, job.coder, r.ratio, r.single, r.graph, copied);
    }
  }
  return 0;
}

}  // namespace
}  // namespace wcodec

int main(int argc, char** argv) {
  try {
    return wcodec::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "gpu_table: " << error.what() << "\n";
    return 1;
  }
}
