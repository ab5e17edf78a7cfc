// A model of seven billion INT8 weights on the GPU: from its .wcodec file (in the page cache) to decoded weights in GPU
// memory, and from compressed weights that are resident there. Every decoded byte is compared with the original.
//
//   build/gpu_model [--layers N] [--coder SPEC] [--gpus N] [--json FILE] …: --help says all
//
// The shapes are those of Llama 7B; --layers cuts it down. The weights are Gaussian with the entropy that MiniLM's
// INT8 matrices have by row (7.26 bits); beyond the first 4,096 rows of a matrix rows repeat. Needs room for about
// twice the model in --folder (default /dev/shm), and as much on the GPU.
#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "bench/llama_model.hpp"
#include "codec/container_file.hpp"
#include "codec/container_part.hpp"
#include "codec/gpu_decode.hpp"
#include "codec/gpu_load.hpp"
#include "codec/gpu_memory.hpp"
#include "core/error.hpp"
#include "core/ordered_parallel.hpp"
#include "kernels_hash.hpp"

namespace wcodec {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

struct Arguments {
  int layers = 32, gpus = 1, repeats = 3;
  std::string coder = "prefix:low=4,chunk=16384", folder = "/dev/shm", json;
  u64 part = u64{1} << 26, staging_mib = 256;
  unsigned threads = 0;
};

void check(cudaError_t error) {
  if (error != cudaSuccess) throw Error(ErrorKind::internal, cudaGetErrorString(error));
}

double seconds_since(Clock::time_point begun) { return std::chrono::duration<double>(Clock::now() - begun).count(); }

struct Event {
  cudaEvent_t event = nullptr;
  Event() { check(cudaEventCreate(&event)); }
  ~Event() { cudaEventDestroy(event); }
  void record(cudaStream_t queue) const { check(cudaEventRecord(event, queue)); }
  double seconds_from(const Event& begin) const {
    float ms = 0;
    check(cudaEventSynchronize(event));
    check(cudaEventElapsedTime(&ms, begin.event, event));
    return ms / 1e3;
  }
};

using GpuBytes = GpuBuffer<GpuPlace::gpu>;

// Read and write together, of a copy on the GPU; of page-locked memory to the GPU.
double copy_speed(cudaStream_t queue) {
  const u64 bytes = u64{1} << 30;
  GpuBytes from(gpu_runtime()), to(gpu_runtime());
  from.reserve(bytes);
  to.reserve(bytes);
  double best = 1e9;
  for (int i = 0; i < 10; ++i) {
    const Event begin, end;
    begin.record(queue);
    check(cudaMemcpyAsync(to.data(), from.data(), bytes, cudaMemcpyDeviceToDevice, queue));
    end.record(queue);
    best = std::min(best, end.seconds_from(begin));
  }
  return 2 * static_cast<double>(bytes) / best;
}

double upload_speed(cudaStream_t queue) {
  const u64 bytes = u64{1} << 28;
  GpuBuffer<GpuPlace::host> from(gpu_runtime());
  GpuBytes to(gpu_runtime());
  from.reserve(bytes);
  to.reserve(bytes);
  std::memset(from.data(), 1, bytes);
  double best = 1e9;
  for (int i = 0; i < 5; ++i) {
    const Event begin, end;
    begin.record(queue);
    check(cudaMemcpyAsync(to.data(), from.data(), bytes, cudaMemcpyHostToDevice, queue));
    end.record(queue);
    best = std::min(best, end.seconds_from(begin));
  }
  return static_cast<double>(bytes) / best;
}

// Memory for the decoded tensors, on the GPUs that share them.
struct Room {
  std::vector<std::unique_ptr<GpuBytes>> memory;
  std::vector<GpuTarget> targets;

  Room(const ContainerReader& container, int gpus) {
    const auto& tensors = container.tensors();
    const std::vector<int> split = split_among_gpus(tensors, gpus);
    for (std::size_t t = 0; t < tensors.size(); ++t) {
      check(cudaSetDevice(split[t]));
      memory.push_back(std::make_unique<GpuBytes>(gpu_runtime()));
      memory.back()->reserve(tensors[t].memory_bytes());
      targets.push_back({t, split[t], memory.back()->data(), tensors[t].memory_bytes()});
    }
    check(cudaSetDevice(0));
  }
  void clear() const {
    for (const GpuTarget& target : targets) {
      check(cudaSetDevice(target.gpu));
      check(cudaMemset(target.memory, 0xa5, target.bytes));
      check(cudaDeviceSynchronize());
    }
    check(cudaSetDevice(0));
  }
};

// Throws unless the GPU's memory is what the source says.
void compare(const Checkpoint& source, const Room& room, unsigned threads) {
  ordered_parallel(
      room.targets.size(), {std::min(threads, 8u), 0}, [](u64) -> u64 { return 0; },
      [&](u64 t) {
        const GpuTarget& target = room.targets[t];
        const std::vector<u8> wanted = source.read(target.tensor);
        std::vector<u8> found(target.bytes);
        check(cudaSetDevice(target.gpu));
        check(cudaMemcpy(found.data(), target.memory, target.bytes, cudaMemcpyDeviceToHost));
        return found == wanted;
      },
      [&](u64 t, bool equal) {
        if (!equal)
          throw Error(ErrorKind::internal, source.tensors()[room.targets[t].tensor].name + " was decoded wrongly");
      });
}

// Every record of the container on the GPU, compressed, and where it decodes to.
struct Resident {
  struct Record {
    GpuPlan plan;
    std::unique_ptr<GpuBytes> image;
    u8* words;
  };
  std::vector<Record> records;
  GpuBytes status{gpu_runtime()};
  u64 image_bytes = 0, words_bytes = 0;

  Resident(const ContainerReader& container, const Room& room) {
    status.reserve(sizeof(u64));
    check(cudaMemset(status.data(), 0, sizeof(u64)));
    for (const GpuTarget& target : room.targets) {
      const auto [number, plane] = container.plane_of(target.tensor);
      const container::LayerEntry& layer = container.opened().index.layers[number];
      u64 at = 0;
      for (u64 part = 0; part < layer.part_count(); ++part) {
        std::vector<u8> bytes(layer.records[part * layer.packing.planes().size() + plane].bytes);
        container.opened().file.read_at(record_offset(layer, part, plane), bytes);
        Record record{plan_gpu_decode(bytes), std::make_unique<GpuBytes>(gpu_runtime()),
                      static_cast<u8*>(target.memory) + at};
        if (record.plan.scratch_size() != 0) throw Error(ErrorKind::internal, "INT8 needs no scratch memory");
        record.image->reserve(record.plan.image.size());
        check(cudaMemcpy(record.image->data(), record.plan.image.data(), record.plan.image.size(),
                         cudaMemcpyHostToDevice));
        image_bytes += record.plan.image.size();
        words_bytes += record.plan.words_size();
        at += record.plan.words_size();
        record.plan.image = {};
        records.push_back(std::move(record));
      }
    }
  }
  void decode(cudaStream_t queue) const {
    for (const Record& record : records)
      gpu_decode(record.plan, record.image->data(), record.words, nullptr, reinterpret_cast<u64*>(status.data()),
                 queue);
  }
  void check_status() const {
    u64 reported = 0;
    check(cudaMemcpy(&reported, status.data(), sizeof reported, cudaMemcpyDeviceToHost));
    check_gpu_status(reported);
  }
};

// The median of some runs between events.
double median_seconds(int repeats, cudaStream_t queue, const std::function<void()>& work) {
  std::vector<double> all;
  for (int i = 0; i < repeats + 1; ++i) {
    const Event begin, end;
    begin.record(queue);
    work();
    end.record(queue);
    const double took = end.seconds_from(begin);
    if (i > 0) all.push_back(took);
  }
  std::nth_element(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2), all.end());
  return all[all.size() / 2];
}

class Files {
 public:
  explicit Files(const std::string& folder) {
    std::string pattern = folder + "/wcodec-model-XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) throw Error(ErrorKind::io, folder + " cannot be written");
    folder_ = pattern;
  }
  ~Files() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  std::string source() const { return folder_ + "/model.safetensors"; }
  std::string container() const { return folder_ + "/model.wcodec"; }

 private:
  std::string folder_;
};

int run(const Arguments& arguments) {
  std::string why;
  const std::vector<GpuInfo> gpus = list_gpus(why);
  if (gpus.empty()) {
    std::cout << "gpu_model needs a GPU: " << why << "\n";
    return 0;
  }
  const unsigned threads = thread_count(arguments.threads);
  const int share = std::min<int>(arguments.gpus, static_cast<int>(gpus.size()));
  nlohmann::json out = {{"kernels", kKernelsHash}, {"gpu", gpus[0].name},      {"gpus", share},
                        {"threads", threads},      {"coder", arguments.coder}, {"layers", arguments.layers}};

  const Files files(arguments.folder);
  Clock::time_point begun = Clock::now();
  write_llama_int8(files.source(), arguments.layers, threads);
  std::cout << fmt::format("{} ({} threads)\nmodel written in {:.1f} s\n", gpus[0].name, threads, seconds_since(begun));
  EncodeOptions encode;
  encode.coder = arguments.coder;
  encode.modes = {"none"};
  encode.part_weights = arguments.part;
  encode.verify = false;
  encode.threads = arguments.threads;
  const CodecStats encoded = encode_checkpoint(files.source(), files.container(), encode);
  std::cout << fmt::format("{:.3f} GB of weights, {:.3f} GB compressed (ratio {:.4f}), encoded in {:.1f} s\n",
                           static_cast<double>(encoded.tensor_bytes) / 1e9,
                           static_cast<double>(encoded.container_bytes) / 1e9, encoded.ratio(), encoded.seconds);
  out["weights"] = encoded.weights;
  out["container_bytes"] = encoded.container_bytes;
  out["ratio"] = encoded.ratio();

  cudaStream_t queue = nullptr;
  check(cudaStreamCreate(&queue));
  const double copy = copy_speed(queue), upload = upload_speed(queue);
  std::cout << fmt::format("copy on the GPU {:.0f} GB/s (read and write), page-locked memory to it {:.1f} GB/s\n",
                           copy / 1e9, upload / 1e9);
  out["copy_bytes_per_second"] = copy;
  out["upload_bytes_per_second"] = upload;

  const auto container = ContainerReader::open(files.container());
  const auto source = open_checkpoint(files.source());
  const Room room(*container, share);
  GpuLoadOptions load;
  load.threads = arguments.threads;
  load.staging_bytes = arguments.staging_mib << 20;
  for (int i = 0; i < arguments.repeats; ++i) {
    room.clear();
    const GpuLoadStats stats = load_to_gpu(*container, room.targets, load);
    if (i == 0) compare(*source, room, threads);
    const double rate = static_cast<double>(stats.record_bytes) / stats.seconds;
    std::cout << fmt::format(
        "load {}: {:.3f} s, {:.1f} GB/s of file ({:.0f} % of the copy), {:.1f} GB/s decoded; {} "
        "records on {} GPU{}, {} on the CPU{}\n",
        i + 1, stats.seconds, rate / 1e9, 100 * rate / upload / share,
        static_cast<double>(stats.decoded_bytes) / stats.seconds / 1e9, stats.gpu_records, share, share == 1 ? "" : "s",
        stats.cpu_records, i == 0 ? "; every byte compared" : "");
    out["load"].push_back({{"seconds", stats.seconds},
                           {"record_bytes", stats.record_bytes},
                           {"decoded_bytes", stats.decoded_bytes},
                           {"gpu_records", stats.gpu_records},
                           {"cpu_records", stats.cpu_records}});
  }

  if (share == 1) {
    const Resident resident(*container, room);
    room.clear();
    const double launched = median_seconds(arguments.repeats, queue, [&] { resident.decode(queue); });
    resident.check_status();
    compare(*source, room, threads);
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t program = nullptr;
    check(cudaStreamBeginCapture(queue, cudaStreamCaptureModeThreadLocal));
    resident.decode(queue);
    check(cudaStreamEndCapture(queue, &graph));
    check(cudaGraphInstantiate(&program, graph, 0));
    const double captured = median_seconds(arguments.repeats, queue, [&] { check(cudaGraphLaunch(program, queue)); });
    resident.check_status();
    const double words = static_cast<double>(resident.words_bytes);
    const double moved = words + static_cast<double>(resident.image_bytes);
    std::cout << fmt::format(
        "resident: {} records, {:.3f} GB on the GPU; decoded in {:.2f} ms by launches, {:.2f} ms by one graph: {:.0f} "
        "GB/s of weights, {:.0f} % of the copy's speed; every byte compared\n",
        resident.records.size(), static_cast<double>(resident.image_bytes) / 1e9, launched * 1e3, captured * 1e3,
        words / captured / 1e9, 100 * moved / captured / copy);
    out["resident"] = {{"records", resident.records.size()},
                       {"image_bytes", resident.image_bytes},
                       {"launched_seconds", launched},
                       {"graph_seconds", captured},
                       {"decoded_bytes_per_second", words / captured},
                       {"fraction_of_copy", moved / captured / copy}};
    cudaGraphExecDestroy(program);
    cudaGraphDestroy(graph);
  }
  cudaStreamDestroy(queue);
  if (!arguments.json.empty()) std::ofstream(arguments.json) << out.dump(2) << "\n";
  return 0;
}

}  // namespace
}  // namespace wcodec

int main(int argc, char** argv) {
  wcodec::Arguments arguments;
  CLI::App app("A model of seven billion INT8 weights, from its file and from GPU memory to decoded weights",
               "gpu_model");
  app.add_option("--layers", arguments.layers, "Of the 32 that the model has")->check(CLI::Range(1, 32));
  app.add_option("--coder", arguments.coder, "Entropy coder")->capture_default_str();
  app.add_option("--part", arguments.part, "Most weights a record")->capture_default_str();
  app.add_option("--folder", arguments.folder, "Where files of twice the model's size may be")->capture_default_str();
  app.add_option("--threads", arguments.threads, "That read and plan (default: as many as the machine runs at once)");
  app.add_option("--staging", arguments.staging_mib, "MiB of the GPU's memory for records in flight")
      ->capture_default_str();
  app.add_option("--gpus", arguments.gpus, "That share the layers")->capture_default_str()->check(CLI::Range(1, 64));
  app.add_option("--repeats", arguments.repeats, "Of each measurement")
      ->capture_default_str()
      ->check(CLI::Range(1, 99));
  app.add_option("--json", arguments.json, "File for the results");
  CLI11_PARSE(app, argc, argv);
  try {
    return wcodec::run(arguments);
  } catch (const std::exception& error) {
    std::cerr << "gpu_model: " << error.what() << "\n";
    return 1;
  }
}
