#include "experiments/gpu_cells.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "baselines/nvcomp_batch.hpp"
#include "codec/gpu_decode.hpp"
#include "core/cuda_owners.hpp"
#include "core/error.hpp"
#include "core/gpu_clock.hpp"
#include "core/spec.hpp"
#include "kernels_hash.hpp"

namespace wcodec {
namespace {

void select(int gpu) {
  if (const std::string why = why_no_gpu_cells(); !why.empty()) throw Error(ErrorKind::unsupported, kUnavailable + why);
  check_cuda(cudaSetDevice(gpu), "choosing the GPU");
}

std::string pci_address(int gpu) {
  char text[32] = {};
  check_cuda(cudaDeviceGetPCIBusId(text, sizeof text, gpu), "asking for the GPU's address");
  return text;
}

u64 l2_bytes(int gpu) {
  int size = 0;
  check_cuda(cudaDeviceGetAttribute(&size, cudaDevAttrL2CacheSize, gpu), "asking for the size of the L2");
  return static_cast<u64>(size);
}

struct DeviceRecord {
  explicit DeviceRecord(Bytes record)
      : plan(plan_gpu_decode(record)),
        image(Bytes(plan.image)),
        words(plan.words_size()),
        scratch(plan.scratch_size()),
        status(sizeof(u64)) {
    words.fill(0xa5);
    status.fill(0);
  }
  void decode(cudaStream_t stream) const {
    gpu_decode(plan, image.data(), words.data(), scratch.data(), status.as<u64>(), stream);
  }
  // Waits; throws what the CPU would throw for a damaged record.
  std::vector<u8> read() const {
    check_cuda(cudaDeviceSynchronize(), "decoding on the GPU");
    u64 fault = 0;
    status.read(&fault, sizeof fault);
    check_gpu_status(fault);
    std::vector<u8> out(words.size());
    if (!out.empty()) words.read(out.data(), out.size());
    return out;
  }

  GpuPlan plan;
  DeviceBytes image, words, scratch, status;
};

// Launches between two events, the L2 overwritten before them.
class GpuStopwatch {
 public:
  explicit GpuStopwatch(int gpu) : pci_(pci_address(gpu)), flush_(std::max<u64>(4 * l2_bytes(gpu), u64{64} << 20)) {}

  template <class Work>
  void time(const Work& work) {
    flush_.fill(flushed_++ & 1);
    check_cuda(cudaDeviceSynchronize(), "flushing the L2");
    const auto start = std::chrono::steady_clock::now();
    begin_.record(stream_.get());
    work(stream_.get());
    end_.record(stream_.get());
    seconds = end_.seconds_since(begin_);
    wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    clock = read_gpu_clock(pci_);
  }

  double seconds = 0, wall = 0;  // of the last
  GpuClock clock;

 private:
  std::string pci_;
  DeviceBytes flush_;
  int flushed_ = 0;
  DeviceStream stream_;
  DeviceEvent begin_, end_;
};

class GpuCodecSubject final : public TimingSubject {
 public:
  GpuCodecSubject(int gpu, const QuantizedTensor& tensor, std::function<std::vector<u8>()> encode)
      : encode_(std::move(encode)),
        bytes_(encode_()),
        record_((select(gpu), Bytes(bytes_))),
        watch_(gpu),
        symbol_bytes_(tensor.symbol_bytes()) {
    decode();
    if (record_.read() != tensor.words) throw Error(ErrorKind::internal, "what the GPU decodes is not the original");
  }
  void encode() override { bytes_ = encode_(); }
  void decode() override {
    watch_.time([&](cudaStream_t stream) { record_.decode(stream); });
  }
  u64 symbol_bytes() const override { return symbol_bytes_; }
  u64 coded_bytes() const override { return bytes_.size(); }
  DeviceTime device_time() const override {
    return {kNotTimed, watch_.seconds, watch_.wall, watch_.clock.sm_mhz, watch_.clock.is_throttled};
  }

 private:
  std::function<std::vector<u8>()> encode_;
  std::vector<u8> bytes_;
  DeviceRecord record_;
  GpuStopwatch watch_;
  u64 symbol_bytes_;
};

class NvcompTimingSubject final : public TimingSubject {
 public:
  NvcompTimingSubject(const std::string& spec, const std::vector<u8>& input, u64 symbol_bytes, u64 scale_bytes)
      : coder_((select(0), read_spec(spec))),
        watch_(0),
        from_{Bytes(input)},
        to_(input.size()),
        symbol_bytes_(symbol_bytes),
        scale_bytes_(scale_bytes) {
    stream_ = coder_.compress(from_.data(), from_.size());
    to_.fill(0xa5);
    encode_ = coder_.prepare_compress(from_.data(), from_.size());
    decode_ = coder_.prepare_decompress(stream_, stream_.bytes.get(), to_.data());
    decode();
    decode_->check();
    std::vector<u8> back(input.size());
    to_.read(back.data(), back.size());
    if (back != input) throw Error(ErrorKind::internal, spec + " did not give the bytes back");
  }
  void encode() override {
    watch_.time([&](cudaStream_t stream) { encode_->launch(stream); });
    encode_seconds_ = watch_.seconds;
  }
  void decode() override {
    watch_.time([&](cudaStream_t stream) { decode_->launch(stream); });
  }
  u64 symbol_bytes() const override { return symbol_bytes_; }
  u64 coded_bytes() const override { return stream_.coded_bytes() + scale_bytes_; }
  DeviceTime device_time() const override {
    return {encode_seconds_, watch_.seconds, watch_.wall, watch_.clock.sm_mhz, watch_.clock.is_throttled};
  }

 private:
  static NvcompSpec read_spec(const std::string& text) {
    Spec spec = parse_spec(text);
    spec.options.erase("pack");  // the caller has packed
    return read_nvcomp_spec(OptionReader(spec, kNvcompOptions));
  }

  NvcompCoder coder_;
  GpuStopwatch watch_;
  DeviceBytes from_, to_;
  NvcompStream stream_;
  std::unique_ptr<NvcompCoder::Job> encode_, decode_;
  u64 symbol_bytes_, scale_bytes_;
  double encode_seconds_ = kNotTimed;
};

}  // namespace

std::string why_no_gpu_cells() { return why_no_gpu(); }

GpuRecord gpu_record() {
  if (!why_no_gpu_cells().empty()) return {};
  cudaDeviceProp properties{};
  int driver = 0;
  check_cuda(cudaGetDeviceProperties(&properties, 0), "asking for the GPU's properties");
  check_cuda(cudaDriverGetVersion(&driver), "asking for the driver's version");
  return {properties.name, fmt::format("CUDA {}.{}", driver / 1000, driver % 1000 / 10), kKernelsHash};
}

std::vector<u8> decode_words_on_gpu(Bytes record, int gpu) {
  select(gpu);
  const DeviceRecord on_gpu(record);
  on_gpu.decode(nullptr);
  return on_gpu.read();
}

std::unique_ptr<TimingSubject> make_gpu_codec_subject(int gpu, const QuantizedTensor& tensor,
                                                      std::function<std::vector<u8>()> encode) {
  return std::make_unique<GpuCodecSubject>(gpu, tensor, std::move(encode));
}

std::unique_ptr<TimingSubject> make_gpu_baseline_subject(const std::string& spec, const std::vector<u8>& input,
                                                         u64 symbol_bytes, u64 scale_bytes) {
  return std::make_unique<NvcompTimingSubject>(spec, input, symbol_bytes, scale_bytes);
}

}  // namespace wcodec
