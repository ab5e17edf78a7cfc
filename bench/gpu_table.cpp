// Decoding on the GPU beside its limits and its peers, on the same bytes in one process.
//
//   build/gpu_table --model NAME=ADDRESS --json FILE --markdown FILE
//   ncu --clock-control none --metrics … build/gpu_table --once --sizes 64 --data int8ch --coder 'prefix:*' --peers
//   false
//
// Speeds are GB/s of words written; the ratio counts all bytes of the stream that is decoded. single: one launch (or
// one a layer) between two events; graph: launches back to back in a CUDA graph; both rotate over copies of input and
// output that the L2 does not hold. warm: the graph over one copy. limit: a kernel that reads as many bytes and writes
// as many, and does nothing else, measured in the same way. Every output is compared with the original on the GPU.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iostream>
#include <limits>
#include <map>
#include <optional>

#include "baselines/nvcomp_library.hpp"
#include "bench/gpu_kernels.hpp"
#include "bench/gpu_report.hpp"
#include "bench/gpu_subject.hpp"
#include "bench/gpu_sweep.hpp"
#include "codec/gpu_decode.hpp"
#include "core/gpu_clock.hpp"
#include "core/spec.hpp"
#include "kernels_hash.hpp"

namespace wcodec {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr u64 kMiB = u64{1} << 20;

struct Options {
  std::vector<std::string> models;  // NAME=ADDRESS, or "gaussian"
  std::vector<u64> sizes = {16, 64, 1024};
  std::vector<std::string> data = {std::begin(kGpuData), std::end(kGpuData)};
  std::string coder = "*", json, markdown;
  int repeats = 20;
  bool has_peers = true, is_once = false;
};

double gbs(u64 bytes, double seconds) { return static_cast<double>(bytes) / seconds * 1e-9; }

// Copies of input and output that are more than the L2 holds, twice over.
std::size_t copies_for(u64 bytes, u64 l2_bytes) { return std::max<u64>(2, 4 * l2_bytes / bytes + 1); }

class Limits {
 public:
  Limits(u64 l2_bytes, int repeats) : l2_bytes_(l2_bytes), repeats_(repeats) {}
  // Of reading `in` bytes and writing `out`, GB/s written: single launch and graph. Measured once for each thousandth.
  std::pair<double, double> expand(u64 in, u64 out) {
    const auto key =
        std::pair(out, static_cast<int>(std::lround(1000.0 * static_cast<double>(in) / static_cast<double>(out))));
    if (const auto known = measured_.find(key); known != measured_.end()) return known->second;
    const std::size_t copies = copies_for(out, l2_bytes_);
    std::vector<DeviceBytes> from, to;
    for (std::size_t c = 0; c < copies; ++c) {
      from.emplace_back((in + 15) / 16 * 16);
      from.back().fill(0x5a);
      to.emplace_back(out);
    }
    const Launch launch = [&](std::size_t i, cudaStream_t stream) {
      gpu_expand(from[i % copies].data(), std::min(in, out), to[i % copies].data(), out, stream);
    };
    const double single = gbs(out, time_single(repeats_, launch));
    const double graph = gbs(out, time_graph(repeats_, 2 * copies, launch));
    return measured_[key] = {single, graph};
  }

 private:
  u64 l2_bytes_;
  int repeats_;
  std::map<std::pair<u64, int>, std::pair<double, double>> measured_;
};

double copy_speed(int repeats) {
  const DeviceBytes from(1024 * kMiB), to(1024 * kMiB);
  from.fill(0x5a);
  return 2 * gbs(from.size(), time_single(repeats, [&](std::size_t, cudaStream_t stream) {
                   check_cuda(cudaMemcpyAsync(to.data(), from.data(), from.size(), cudaMemcpyDeviceToDevice, stream),
                              "copying");
                 }));
}

std::string pci_address() {
  char text[32] = {};
  check_cuda(cudaDeviceGetPCIBusId(text, sizeof text, 0), "asking for the GPU's address");
  return text;
}

void write(const std::string& file, const std::string& text) {
  std::ofstream out(file, std::ios::binary);
  out << text;
  if (!out.flush()) throw Error(ErrorKind::io, fmt::format("cannot write {}", printable(file)));
}

class Benchmark {
 public:
  explicit Benchmark(const Options& options) : options_(options), pci_(pci_address()), limits_(0, options.repeats) {
    cudaDeviceProp properties{};
    check_cuda(cudaGetDeviceProperties(&properties, 0), "asking for the GPU's properties");
    machine_.gpu = properties.name;
    machine_.multiprocessors = properties.multiProcessorCount;
    machine_.l2_bytes = static_cast<u64>(properties.l2CacheSize);
    int driver = 0;
    check_cuda(cudaDriverGetVersion(&driver), "asking for the driver's version");
    machine_.driver = fmt::format("CUDA {}.{}", driver / 1000, driver % 1000 / 10);
    machine_.kernels = kKernelsHash;
    limits_ = Limits(machine_.l2_bytes, options.repeats);
    if (options.has_peers) {
      try {
        machine_.nvcomp = NvcompLibrary::get().version();
        has_nvcomp_ = true;
      } catch (const Error& error) {
        machine_.nvcomp = error.what();
        std::cerr << "gpu_table: nvCOMP's rows are missing: " << error.what() << "\n";
      }
    } else {
      machine_.nvcomp = "left out";
    }
  }

  void run() {
    if (!options_.is_once) machine_.copy_gbs = copy_speed(options_.repeats);
    const GpuClock before = read_gpu_clock(pci_);
    machine_.sm_mhz_before = before.sm_mhz;
    machine_.memory_mhz_before = before.memory_mhz;
    for (const std::string& given : options_.models) {
      const auto equals = given.find('=');
      const GpuModel model = given == "gaussian" ? GpuModel::gaussian()
                             : equals == std::string::npos
                                 ? throw Error(ErrorKind::usage, fmt::format("--model {}: write NAME=ADDRESS", given))
                                 : GpuModel::from_checkpoint(given.substr(0, equals), given.substr(equals + 1));
      std::cerr << fmt::format("{}: {} weights\n", model.name(), model.weights());
      for (const u64 mebibytes : options_.sizes) {
        for (const std::string& data : options_.data) {
          measure(model.make(data, mebibytes));
          finish();  // what is measured is kept, whatever comes
        }
      }
    }
  }

  std::string table() const { return gpu_markdown(machine_, rows_); }

 private:
  void finish() {
    const GpuClock after = read_gpu_clock(pci_);
    machine_.sm_mhz_after = after.sm_mhz;
    machine_.memory_mhz_after = after.memory_mhz;
    mark_fronts(rows_);
    if (!options_.markdown.empty()) write(options_.markdown, table());
    if (!options_.json.empty()) write(options_.json, gpu_json(machine_, rows_));
  }

  void measure(const GpuDataSet& set) {
    const GpuOriginal original(set);
    std::vector<std::string> specs = wcodec_sweep(set.data, set.mebibytes);
    if (has_nvcomp_) {
      for (std::string& spec : nvcomp_sweep(set.data, set.mebibytes)) specs.push_back(std::move(spec));
    }
    for (const std::string& spec : specs) {
      if (!glob_match(options_.coder, spec)) continue;
      GpuRow row;
      row.model = set.model;
      row.data = set.data;
      row.mebibytes = set.mebibytes;
      row.coder = spec;
      row.family = family_of(spec);
      row.layers = set.layers.size();
      try {
        measure(original, row);
      } catch (const Error& error) {
        row.failure = error.what();
        std::cerr << fmt::format("{} {} {} MiB: {}: {}\n", row.model, row.data, row.mebibytes, spec, row.failure);
      }
      rows_.push_back(std::move(row));
    }
    std::cerr << fmt::format("{} {} {} MiB: {} rows\n", set.model, set.data, set.mebibytes, rows_.size());
  }

  void measure(const GpuOriginal& original, GpuRow& row) {
    const auto subject =
        row.family == "wcodec" ? make_wcodec_subject(row.coder, original) : make_nvcomp_subject(row.coder, original);
    row.words_bytes = original.set.words_bytes();
    row.symbol_bytes = original.set.symbol_bytes();
    row.coded_bytes = subject->coded_bytes();
    const std::size_t copies = options_.is_once ? 1 : copies_for(row.words_bytes, machine_.l2_bytes);
    subject->prepare(copies);
    row.single = row.graph = row.warm = row.encode = row.expand_single = row.expand_graph = kNone;
    const Launch cold = [&](std::size_t i, cudaStream_t stream) { subject->decode(i % copies, stream); };
    const DeviceStream stream;
    for (std::size_t i = 0; i < copies; ++i) cold(i, stream.get());  // every output is written, whatever is timed
    if (!options_.is_once) {
      stream.wait();
      time_decode(*subject, copies, row);
      const GpuClock clock = read_gpu_clock(pci_);
      row.sm_mhz = clock.sm_mhz;
      row.memory_mhz = clock.memory_mhz;
      row.is_throttled = clock.is_throttled;
    }
    subject->check();
    if (options_.is_once) return;
    if (subject->can_encode()) {
      const Launch encode = [&](std::size_t, cudaStream_t queue) { subject->encode(queue); };
      row.encode = gbs(row.words_bytes, time_single(time_single(1, encode) > 0.01 ? 1 : 5, encode));
    }
    std::tie(row.expand_single, row.expand_graph) = limits_.expand(row.coded_bytes, row.words_bytes);
  }

  void time_decode(GpuSubject& subject, std::size_t copies, GpuRow& row) const {
    const Launch cold = [&](std::size_t i, cudaStream_t stream) { subject.decode(i % copies, stream); };
    const Launch warm = [&](std::size_t, cudaStream_t stream) { subject.decode(0, stream); };
    // One look at the time decides how often a slow coder is repeated.
    const double once = time_single(1, cold);
    const auto repeats = [&](std::size_t launches) {
      return static_cast<int>(
          std::clamp(kLongEnough / (once * static_cast<double>(launches)), 1.0, static_cast<double>(options_.repeats)));
    };
    row.single = gbs(row.words_bytes, time_single(std::max(3, repeats(1)), cold));
    try {
      const std::size_t launches = once > kSlow ? copies : 2 * copies;
      row.graph = gbs(row.words_bytes, time_graph(repeats(launches), launches, cold));
      if (row.words_bytes + row.coded_bytes < machine_.l2_bytes)
        row.warm = gbs(row.words_bytes, time_graph(repeats(16), 16, warm));
    } catch (const Error& error) {
      std::cerr << fmt::format("{}: not in a graph: {}\n", row.coder, error.what());
    }
  }

  static constexpr double kLongEnough = 0.1, kSlow = 1e-3;  // seconds

  Options options_;
  std::string pci_;
  GpuMachine machine_;
  Limits limits_;
  bool has_nvcomp_ = false;
  std::vector<GpuRow> rows_;
};

int run(int argc, char** argv) {
  Options options;
  CLI::App app("Decoding on the GPU beside its limits and nvCOMP, on the same bytes in one process");
  app.add_option("--model", options.models,
                 "NAME=ADDRESS of a checkpoint (file, folder, pip:…, hf://…), or 'gaussian'; default: gaussian");
  app.add_option("--sizes", options.sizes, "MiB of words; up to 64 one layer, beyond a model's layers")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--data", options.data, "kinds of words")
      ->delimiter(',')
      ->check(CLI::IsMember(std::vector<std::string>(std::begin(kGpuData), std::end(kGpuData))))
      ->capture_default_str();
  app.add_option("--coder", options.coder, "glob of the coders to try: 'prefix:*', 'nvcomp:algo=ans*'")
      ->capture_default_str();
  app.add_option("--peers", options.has_peers, "nvCOMP too, if it is there (see WCODEC_NVCOMP)")->capture_default_str();
  app.add_option("--repeats", options.repeats, "timed launches; the median counts")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_option("--json", options.json, "write all rows here");
  app.add_option("--markdown", options.markdown, "write the table here as well");
  app.add_flag("--once", options.is_once, "decode each once and time nothing: for a profiler");
  CLI11_PARSE(app, argc, argv);
  if (options.models.empty()) options.models = {"gaussian"};
  if (const std::string why = why_no_gpu(); !why.empty()) throw Error(ErrorKind::unsupported, why);

  Benchmark benchmark(options);
  benchmark.run();
  std::cout << benchmark.table();
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
