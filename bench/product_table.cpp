// Products of packed weights with few vectors, beside cuBLAS on plain bf16, for the matrices of a model of 7 B weights.
//
//   build/product_table --json FILE
//
// Each row is one product in a CUDA graph of launches that go in turn over copies of the matrix, so that no weight is
// in the L2; x and y are. Contenders of a shape and batch are timed alternately, in random order, and medians taken.
// Every y is compared with the product in double precision, ‖y − y64‖ / ‖y64‖; that of a quantized format is of what
// it holds. Copy and read speeds of the same run come first.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "bench/product_contenders.hpp"
#include "bench/product_reference.hpp"
#include "codec/gpu_decode.hpp"
#include "core/error.hpp"
#include "core/gpu_clock.hpp"
#include "core/philox.hpp"
#include "kernels_hash.hpp"
#include "products/product.hpp"
#include "quantizers/half.hpp"

namespace wcodec {
namespace {

using nlohmann::json;

struct Options {
  std::vector<std::string> shapes{"4096x4096", "11008x4096", "4096x11008", "32000x4096"};
  std::vector<int> batches{1, 2, 4, 8, 16, 32};
  std::vector<std::string> formats{std::begin(kProductFormats), std::end(kProductFormats)};
  int repeats = 15;
  u64 rotate = 512;
  std::string json;
};

// Launches captured one after another; a replay's time over their number is that of one.
class Graph {
 public:
  Graph(cudaStream_t stream, int launches, const std::function<void(int)>& launch)
      : stream_(stream), launches_(launches) {
    cudaGraph_t graph;
    check_cuda(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "capturing");
    for (int i = 0; i < launches; ++i) launch(i);
    check_cuda(cudaStreamEndCapture(stream, &graph), "capturing");
    check_cuda(cudaGraphInstantiate(&exec_, graph, 0), "making a graph");
    cudaGraphDestroy(graph);
    check_cuda(cudaEventCreate(&begin_), "creating an event");
    check_cuda(cudaEventCreate(&end_), "creating an event");
  }
  ~Graph() {
    cudaGraphExecDestroy(exec_);
    cudaEventDestroy(begin_);
    cudaEventDestroy(end_);
  }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  double seconds() const {
    check_cuda(cudaEventRecord(begin_, stream_), "timing");
    check_cuda(cudaGraphLaunch(exec_, stream_), "replaying a graph");
    check_cuda(cudaEventRecord(end_, stream_), "timing");
    check_cuda(cudaEventSynchronize(end_), "timing");
    float ms;
    check_cuda(cudaEventElapsedTime(&ms, begin_, end_), "timing");
    return 1e-3 * ms / launches_;
  }

 private:
  cudaStream_t stream_;
  int launches_;
  cudaGraphExec_t exec_ = nullptr;
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Speeds that limit everything: of a copy, read and written together, and of reading alone.
json measure_limits(cudaStream_t stream, int repeats) {
  constexpr u64 kBytes = u64{1} << 30;
  const DeviceBytes from(kBytes), to(kBytes), sink(4);
  from.fill(0x5a);
  check_cuda(cudaDeviceSynchronize(), "filling device memory");
  const Graph copies(stream, 4, [&](int) {
    check_cuda(cudaMemcpyAsync(to.data(), from.data(), kBytes, cudaMemcpyDeviceToDevice, stream), "copying");
  });
  const Graph reads(stream, 4, [&](int) { read_only(from.data(), kBytes, sink.as<u32>(), stream); });
  std::vector<double> copy, read;
  for (int i = 0; i < repeats + 2; ++i) {
    copy.push_back(copies.seconds());
    read.push_back(reads.seconds());
  }
  return {{"copy_gbs", 2e-9 * kBytes / median(copy)}, {"read_gbs", 1e-9 * kBytes / median(read)}};
}

json clocks() {
  char pci[32] = {};
  check_cuda(cudaDeviceGetPCIBusId(pci, sizeof pci, 0), "asking for the GPU's address");
  const GpuClock clock = read_gpu_clock(pci);
  return {{"sm_mhz", clock.sm_mhz}, {"memory_mhz", clock.memory_mhz}, {"is_throttled", clock.is_throttled}};
}

// Geometric means over shapes, of the speed over that of cuBLAS and over that of the plain kernel.
class Factors {
 public:
  void add(int batch, const std::string& format, std::size_t over, double factor) {
    auto& [log_sum, count] = sums_[{batch, format}][over];
    log_sum += std::log(factor);
    ++count;
  }
  json means() const {
    json out = json::array();
    for (const auto& [key, sums] : sums_) {
      json mean{{"batch", key.first}, {"format", key.second}};
      for (std::size_t over = 0; over < kOver.size(); ++over) {
        if (sums[over].second > 0) mean[kOver[over]] = std::exp(sums[over].first / sums[over].second);
      }
      out.push_back(mean);
    }
    return out;
  }
  static constexpr std::array<const char*, 2> kOver{"over_cublas", "over_plain"};

 private:
  std::map<std::pair<int, std::string>, std::array<std::pair<double, int>, 2>> sums_;
};

void print(const json& row) {
  const auto number = [&](const char* key) {
    return row.contains(key) ? fmt::format("{:>7.3f}", row[key].get<double>()) : std::string(7, ' ');
  };
  std::cout << fmt::format("{:>5} x {:<5} {:>5} {:13} {:>6.3f} {:>8.2f} {:>6.0f} {:>6.0f} {:>9.6f} {} {} {}\n",
                           row["rows"].get<i64>(), row["cols"].get<i64>(), row["batch"].get<int>(),
                           row["format"].get<std::string>(), row["bits_per_weight"].get<double>(),
                           row["microseconds"].get<double>(), row["bf16_gbs"].get<double>(),
                           row["read_gbs"].get<double>(), row["error"].get<double>(), number("error_over_cublas"),
                           number("over_cublas"), number("over_plain"))
            << std::flush;
}

// Times of each contender's graph, alternately and in random order; two rounds warm up.
std::vector<std::vector<double>> time_alternately(const std::vector<std::unique_ptr<Graph>>& graphs, int repeats) {
  Philox random(11, 7);
  std::vector<std::vector<double>> times(graphs.size());
  std::vector<std::size_t> order(graphs.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  for (int round = 0; round < repeats + 2; ++round) {
    for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(static_cast<u32>(i))]);
    for (const std::size_t g : order) {
      const double seconds = graphs[g]->seconds();
      if (round >= 2) times[g].push_back(seconds);
    }
  }
  return times;
}

void measure(const Contenders& contenders, int batch, int repeats, cudaStream_t stream, json& rows, Factors& factors) {
  Philox random(5, 7);
  std::vector<u16> vectors(static_cast<std::size_t>(contenders.cols() * batch));
  for (u16& v : vectors) v = float_to_bf16(static_cast<float>(random.normal()));
  const DeviceBytes x(Bytes(reinterpret_cast<const u8*>(vectors.data()), vectors.size() * 2));
  const DeviceBytes y(static_cast<u64>(contenders.rows() * batch) * 2);
  std::vector<double> errors;
  std::vector<std::unique_ptr<Graph>> graphs;
  for (const Contender& c : contenders.all()) {
    errors.push_back(contenders.error(c, x, y, batch));
    const int launches = std::max(20, static_cast<int>(2 * c.copies.size()));
    graphs.push_back(std::make_unique<Graph>(stream, launches, [&](int i) {
      c.product(c.copies[static_cast<std::size_t>(i) % c.copies.size()].data(), x.as<u16>(), y.as<u16>(), batch);
    }));
  }
  const std::vector<std::vector<double>> times = time_alternately(graphs, repeats);
  const double weights = static_cast<double>(contenders.rows()) * static_cast<double>(contenders.cols());
  for (std::size_t i = 0; i < graphs.size(); ++i) {
    const Contender& c = contenders.all()[i];
    const double seconds = median(times[i]);
    json row{{"rows", contenders.rows()},
             {"cols", contenders.cols()},
             {"batch", batch},
             {"format", c.name},
             {"bits_per_weight", 8 * static_cast<double>(c.bytes) / weights},
             {"microseconds", 1e6 * seconds},
             {"fastest", 1e6 * *std::min_element(times[i].begin(), times[i].end())},
             {"slowest", 1e6 * *std::max_element(times[i].begin(), times[i].end())},
             {"bf16_gbs", 2e-9 * weights / seconds},
             {"read_gbs", 1e-9 * static_cast<double>(c.bytes) / seconds},
             {"error", errors[i]}};
    for (std::size_t other = 0; other < graphs.size(); ++other) {
      const std::string& name = contenders.all()[other].name;
      const std::size_t over = name == "cublas" ? 0 : name == "bf16" ? 1 : 2;
      if (over == 2) continue;
      row[Factors::kOver[over]] = median(times[other]) / seconds;
      factors.add(batch, c.name, over, median(times[other]) / seconds);
      if (over == 0) row["error_over_cublas"] = errors[i] / errors[other];
    }
    print(row);
    rows.push_back(row);
  }
}

std::pair<i64, i64> parse_shape(const std::string& text) {
  i64 rows = 0, cols = 0;
  int used = 0;
  if (std::sscanf(text.c_str(), "%ldx%ld%n", &rows, &cols, &used) != 2 || used != static_cast<int>(text.size())) {
    throw Error(ErrorKind::usage, fmt::format("--shapes {}: write ROWSxCOLUMNS", text));
  }
  return {rows, cols};
}

void run(const Options& options) {
  std::vector<std::pair<i64, i64>> shapes;
  for (const std::string& shape : options.shapes) shapes.push_back(parse_shape(shape));
  if (const std::string why = why_no_gpu(); !why.empty()) throw Error(ErrorKind::unsupported, why);
  const DeviceStream stream;
  cudaDeviceProp device{};
  check_cuda(cudaGetDeviceProperties(&device, 0), "asking for the GPU's properties");
  json out{{"kernels", kProductKernelsHash},
           {"gpu", device.name},
           {"multiprocessors", device.multiProcessorCount},
           {"l2_bytes", device.l2CacheSize}};
  out["limits"] = measure_limits(stream.get(), options.repeats);
  out["clocks_before"] = clocks();
  std::string why;
  const std::unique_ptr<CublasProducts> cublas = CublasProducts::load(stream.get(), why);
  if (cublas != nullptr) out["cublas_version"] = cublas->version();
  std::cout << fmt::format("{}, {} multiprocessors; copy of 1 GiB, read + write: {:.0f} GB/s; read alone: {:.0f}\n",
                           device.name, device.multiProcessorCount, out["limits"]["copy_gbs"].get<double>(),
                           out["limits"]["read_gbs"].get<double>());
  std::cout << (cublas != nullptr ? fmt::format("cuBLAS {}\n", cublas->version()) : "no cuBLAS: " + why + "\n");
  std::cout << "as bf16: GB/s that plain bf16 would have to be read at; read: GB/s of bytes really read; then the "
               "error over cuBLAS's, and the speed over cuBLAS's and over the plain kernel's\n";
  std::cout << fmt::format("{:>13} {:>5} {:13} {:>6} {:>8} {:>6} {:>6} {:>9} {:>7} {:>7} {:>7}\n", "shape", "batch",
                           "format", "bits", "us", "as bf16", "read", "error", "/cublas", "cublas", "plain");
  Factors factors;
  out["rows"] = json::array();
  for (const auto& [rows, cols] : shapes) {
    const Contenders contenders(rows, cols, {options.formats, options.rotate << 20}, cublas.get(), stream.get());
    for (const int batch : options.batches)
      measure(contenders, batch, options.repeats, stream.get(), out["rows"], factors);
  }
  out["clocks_after"] = clocks();
  out["geometric_means"] = factors.means();
  std::cout << "geometric means over shapes: speed over cuBLAS's, over the plain kernel's\n";
  for (const json& mean : out["geometric_means"]) {
    std::cout << fmt::format("{:>5} {:13}", mean["batch"].get<int>(), mean["format"].get<std::string>());
    for (const char* over : Factors::kOver) {
      if (mean.contains(over)) std::cout << fmt::format(" {:>7.3f}", mean[over].get<double>());
    }
    std::cout << "\n";
  }
  if (options.json.empty()) return;
  std::ofstream file(options.json);
  file << out.dump(1) << "\n";
  if (!file.flush()) throw Error(ErrorKind::io, "cannot write " + options.json);
}

int run(int argc, char** argv) {
  Options options;
  CLI::App app("Products of packed weights with few vectors on the GPU, beside cuBLAS on plain bf16");
  app.add_option("--shapes", options.shapes, "ROWSxCOLUMNS of matrices")->delimiter(',')->capture_default_str();
  app.add_option("--batches", options.batches, "numbers of vectors")
      ->delimiter(',')
      ->check(CLI::Range(1, kMaxProductBatch))
      ->capture_default_str();
  app.add_option("--formats", options.formats, "of packed matrices; bf16 is the plain kernel of the same skeleton")
      ->delimiter(',')
      ->check(CLI::IsMember(std::vector<std::string>(std::begin(kProductFormats), std::end(kProductFormats))))
      ->capture_default_str();
  app.add_option("--repeats", options.repeats, "timed replays; the median counts")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_option("--rotate", options.rotate, "MiB that the copies of a matrix have at least")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  app.add_option("--json", options.json, "write all rows here");
  CLI11_PARSE(app, argc, argv);
  run(options);
  return 0;
}

}  // namespace
}  // namespace wcodec

int main(int argc, char** argv) {
  try {
    return wcodec::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "product_table: " << error.what() << "\n";
    return 1;
  }
}
