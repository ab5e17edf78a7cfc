// Encoding on the GPU step by step. gpu_table has its speed beside nvCOMP's; this table shows where the time goes.
//
//   build/gpu_encode_table [--model NAME=ADDRESS] [--sizes 16,64,1024] [--data …] [--coder GLOB] [--markdown FILE]
//
// count, host, encode: microseconds of counting on the GPU, of choosing codes on the host, of encoding on the GPU (the
// checksum included), each alone. single: GB/s of words, counting and encoding one after the other between two events,
// on a copy that the L2 does not hold; graph: the same back to back in a CUDA graph. whole: by the wall clock, from
// words in device memory to chunks in device memory, waiting for the host in between. record: that and the copy of the
// record to (pageable) host memory, put together there. Every record is compared with the CPU's, byte for byte.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>

#include "bench/gpu_data.hpp"
#include "bench/gpu_timing.hpp"
#include "codec/gpu_decode.hpp"
#include "codec/gpu_encode.hpp"
#include "core/error.hpp"
#include "core/spec.hpp"
#include "kernels_hash.hpp"

namespace wcodec {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// One tensor in device memory, as many times as the L2 does not hold.
class Encoding {
 public:
  Encoding(const QuantizedTensor& tensor, const std::string& coder, std::size_t copies)
      : tensor_(tensor),
        plan_(plan_gpu_encode(tensor.rows, tensor.cols, tensor.format, parse_coder(coder), gpu_encode_warps())) {
    for (std::size_t c = 0; c < copies; ++c) {
      owners_.emplace_back(Bytes(tensor.words));
      for (const u64 size : {plan_.image_size, plan_.work_size, plan_.output_size}) owners_.emplace_back(size);
      const auto* const last = &owners_[owners_.size() - 4];
      memory_.push_back({last[0].data(), last[1].data(), last[2].data(), last[3].data()});
    }
    for (std::size_t c = 0; c < copies; ++c) {
      count(c, nullptr);
      codes_ = choose_gpu_codes(plan_, memory_[c], nullptr);
    }
  }
  std::size_t copies() const { return memory_.size(); }
  void count(std::size_t i, cudaStream_t stream) { gpu_count(plan_, memory_[i % copies()], stream); }
  void encode(std::size_t i, cudaStream_t stream) { gpu_encode(plan_, codes_, memory_[i % copies()], stream); }
  void choose(std::size_t i, cudaStream_t stream) { codes_ = choose_gpu_codes(plan_, memory_[i % copies()], stream); }
  EncodedTensor finish(std::size_t i, cudaStream_t stream) {
    return finish_gpu_encode(plan_, codes_, memory_[i % copies()], tensor_.scales, stream);
  }
  // Seconds that the host's choice takes, the counts being there.
  double choice_seconds(int repeats) {
    std::vector<GpuCounts> counts(plan_.planes.size());
    check_cuda(cudaMemcpy(counts.data(), memory_[0].work, plan_.counts_size(), cudaMemcpyDeviceToHost),
               "copying counts");
    std::vector<double> seconds;
    for (int i = 0; i < repeats; ++i) {
      const auto begin = Clock::now();
      const GpuEncodeCodes codes = choose_gpu_codes(plan_, counts);
      seconds.push_back(seconds_since(begin));
    }
    return median(seconds);
  }

 private:
  const QuantizedTensor& tensor_;
  GpuEncodePlan plan_;
  GpuEncodeCodes codes_;
  std::vector<DeviceBytes> owners_;
  std::vector<GpuEncodeMemory> memory_;
};

struct Row {
  std::string coder;
  double ratio, count, host, encode, single, graph, whole, record;
};

Row measure(const QuantizedTensor& tensor, u64 symbol_bytes, const std::string& coder, u64 l2_bytes, int repeats) {
  Encoding encoding(tensor, coder, std::max<u64>(2, 2 * l2_bytes / tensor.words.size() + 1));
  const double bytes = static_cast<double>(tensor.words.size());
  const auto gbs = [&](double seconds) { return bytes / seconds * 1e-9; };
  Row row{coder, 0, 0, 0, 0, 0, 0, 0, 0};
  const Launch both = [&](std::size_t i, cudaStream_t stream) {
    encoding.count(i, stream);
    encoding.encode(i, stream);
  };
  row.count = time_single(repeats, [&](std::size_t i, cudaStream_t stream) { encoding.count(i, stream); });
  row.encode = time_single(repeats, [&](std::size_t i, cudaStream_t stream) { encoding.encode(i, stream); });
  row.host = encoding.choice_seconds(repeats);
  row.single = gbs(time_single(repeats, both));
  row.graph = gbs(time_graph(repeats, 2 * encoding.copies(), both));
  const DeviceStream stream;
  std::vector<double> whole, record;
  EncodedTensor encoded;
  for (std::size_t i = 0; i < 5; ++i) {
    const auto begin = Clock::now();
    encoding.count(i, stream.get());
    encoding.choose(i, stream.get());
    encoding.encode(i, stream.get());
    stream.wait();
    whole.push_back(seconds_since(begin));
    encoded = encoding.finish(i, stream.get());
    record.push_back(seconds_since(begin));
  }
  row.whole = gbs(median(whole));
  row.record = gbs(median(record));
  row.ratio = static_cast<double>(symbol_bytes) / static_cast<double>(encoded.bytes.size());
  if (encoded.bytes != encode_tensor(tensor, kUntiled, parse_mode_set({"none"}), parse_coder(coder)).bytes)
    throw Error(ErrorKind::internal, coder + ": the GPU's record is not the CPU's");
  return row;
}

std::vector<std::string> coders_for(const std::string& data, u64 mebibytes) {
  const std::string chunk = mebibytes > 64 ? "16384" : mebibytes > 16 ? "8192" : "4096";
  const auto with = [&](const char* coder, const std::string& size) { return fmt::format("{}chunk={}", coder, size); };
  if (data == "bf16") return {with("prefix:", chunk), with("prefix:", "16384"), with("rans:precision=12,", "16384")};
  const char* const low = data == "int8ch" ? "prefix:low=4," : data == "int8pt" ? "prefix:low=2," : "prefix:";
  return {with(low, chunk), with(low, "16384"), with("rans:precision=12,", "16384")};
}

int run(int argc, char** argv) {
  std::string name = "gaussian", coder = "*", markdown;
  std::vector<u64> sizes = {16, 64, 1024};
  std::vector<std::string> data = {std::begin(kGpuData), std::end(kGpuData)};
  int repeats = 20;
  CLI::App app("Encoding on the GPU, step by step");
  app.add_option("--model", name, "NAME=ADDRESS of a checkpoint (file, folder, pip:…, hf://…), or 'gaussian'")
      ->capture_default_str();
  app.add_option("--sizes", sizes, "MiB of words, one tensor; beyond a model's largest matrix rows repeat")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--data", data, "kinds of words")
      ->delimiter(',')
      ->check(CLI::IsMember(std::vector<std::string>(std::begin(kGpuData), std::end(kGpuData))))
      ->capture_default_str();
  app.add_option("--coder", coder, "glob of the coders to try: 'prefix:*'")->capture_default_str();
  app.add_option("--repeats", repeats, "timed launches; the median counts")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_option("--markdown", markdown, "write the table here as well");
  CLI11_PARSE(app, argc, argv);
  if (const std::string why = why_no_gpu(); !why.empty()) throw Error(ErrorKind::unsupported, why);
  const auto equals = name.find('=');
  const GpuModel model = name == "gaussian" ? GpuModel::gaussian()
                         : equals == std::string::npos
                             ? throw Error(ErrorKind::usage, fmt::format("--model {}: write NAME=ADDRESS", name))
                             : GpuModel::from_checkpoint(name.substr(0, equals), name.substr(equals + 1));
  cudaDeviceProp gpu{};
  check_cuda(cudaGetDeviceProperties(&gpu, 0), "asking for the GPU's properties");
  std::string table = fmt::format(
      "{}, kernels {}, {}\n\n| MiB | data | coder | ratio | count µs | host µs | encode µs | single | graph | whole | "
      "record |\n|---|---|---|---|---|---|---|---|---|---|---|\n",
      gpu.name, kKernelsHash, model.name());
  std::cout << table;
  for (const u64 mebibytes : sizes) {
    for (const std::string& kind : data) {
      const GpuDataSet set = model.make(kind, mebibytes);
      // One tensor, whatever it is made of: one table, as a layer has.
      QuantizedTensor tensor = set.layers[0];
      for (std::size_t i = 1; i < set.layers.size(); ++i)
        tensor.words.insert(tensor.words.end(), set.layers[i].words.begin(), set.layers[i].words.end());
      tensor.rows = 1;
      tensor.cols = static_cast<i64>(tensor.words.size()) / tensor.format.memory_bytes;
      std::vector<std::string> coders = coders_for(kind, mebibytes);
      coders.erase(std::unique(coders.begin(), coders.end()), coders.end());
      for (const std::string& spec : coders) {
        if (!glob_match(coder, spec)) continue;
        const Row row = measure(tensor, set.symbol_bytes(), spec, static_cast<u64>(gpu.l2CacheSize), repeats);
        const std::string line =
            fmt::format("| {} | {} | `{}` | {:.4f} | {:.0f} | {:.0f} | {:.0f} | {:.0f} | {:.0f} | {:.0f} | {:.1f} |\n",
                        mebibytes, kind, row.coder, row.ratio, 1e6 * row.count, 1e6 * row.host, 1e6 * row.encode,
                        row.single, row.graph, row.whole, row.record);
        std::cout << line << std::flush;
        table += line;
      }
    }
  }
  if (!markdown.empty()) {
    std::ofstream out(markdown, std::ios::binary);
    out << table;
    if (!out.flush()) throw Error(ErrorKind::io, fmt::format("cannot write {}", printable(markdown)));
  }
  return 0;
}

}  // namespace
}  // namespace wcodec

int main(int argc, char** argv) {
  try {
    return wcodec::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "gpu_encode_table: " << error.what() << "\n";
    return 1;
  }
}
