#include "bench/gpu_subject.hpp"

#include <fmt/format.h>

#include <atomic>
#include <cstring>
#include <exception>
#include <thread>

#include "baselines/nvcomp_batch.hpp"
#include "bench/gpu_kernels.hpp"
#include "codec/gpu_decode.hpp"
#include "codec/gpu_encode.hpp"
#include "core/error.hpp"

namespace wcodec {
namespace {

constexpr int kPoison = 0xa5;

// Outputs of several copies, compared on the device.
class Outputs {
 public:
  explicit Outputs(const GpuOriginal& original) : original_(original) {}
  void prepare(std::size_t copies) {
    words_.clear();
    for (std::size_t c = 0; c < copies; ++c) {
      words_.emplace_back(original_.words.size());
      words_.back().fill(kPoison);
    }
  }
  u8* copy(std::size_t i) const { return words_[i].data(); }
  std::size_t size() const { return words_.size(); }
  void check(const std::string& who) const {
    DeviceBytes count(sizeof(u64));
    count.fill(0);
    for (const DeviceBytes& words : words_)
      gpu_count_differences(words.data(), original_.words.data(), words.size(), count.as<u64>(), nullptr);
    u64 different = 0;
    count.read(&different, sizeof different);
    if (different != 0)
      throw Error(ErrorKind::internal, fmt::format("{}: {} bytes of the output are not the original", who, different));
  }

 private:
  const GpuOriginal& original_;
  std::vector<DeviceBytes> words_;
};

class WcodecSubject final : public GpuSubject {
 public:
  WcodecSubject(const std::string& spec, const GpuOriginal& original)
      : spec_(spec), original_(original), outputs_(original), plans_(original.set.layers.size()) {
    const auto& layers = original.set.layers;
    const CoderChoice coder = parse_coder(spec);
    const std::vector<PredictorChoice> modes = parse_mode_set({"none"});
    std::vector<u64>& sizes = sizes_;
    sizes.resize(layers.size());
    crcs_.resize(layers.size());
    std::atomic<std::size_t> next{0};
    std::vector<std::exception_ptr> errors(layers.size());
    std::vector<std::thread> threads;
    for (unsigned w = 0; w < std::max(1u, std::thread::hardware_concurrency()); ++w) {
      threads.emplace_back([&] {
        for (std::size_t i = next++; i < layers.size(); i = next++) {
          try {
            const EncodedTensor encoded = encode_tensor(layers[i], kUntiled, modes, coder);
            sizes[i] = encoded.bytes.size();
            std::memcpy(&crcs_[i], encoded.bytes.data() + encoded.bytes.size() - sizeof(u32), sizeof(u32));
            plans_[i] = plan_gpu_decode(encoded.bytes);
          } catch (...) {
            errors[i] = std::current_exception();
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const std::exception_ptr& error : errors) {
      if (error) std::rethrow_exception(error);
    }
    u64 scratch = 0;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      coded_ += sizes[i];
      image_places_.push_back(image_size_);
      image_size_ += (plans_[i].image.size() + 255) / 256 * 256;
      word_places_.push_back(words_size_);
      words_size_ += plans_[i].words_size();
      scratch = std::max(scratch, plans_[i].scratch_size());
    }
    scratch_ = DeviceBytes(scratch);
  }
  u64 coded_bytes() const override { return coded_; }
  void prepare(std::size_t copies) override {
    images_.clear();
    for (std::size_t c = 0; c < copies; ++c) {
      images_.emplace_back(image_size_);
      for (std::size_t i = 0; i < plans_.size(); ++i) {
        check_cuda(cudaMemcpy(images_.back().data() + image_places_[i], plans_[i].image.data(), plans_[i].image.size(),
                              cudaMemcpyHostToDevice),
                   "copying an image to the GPU");
      }
    }
    outputs_.prepare(copies);
    status_ = DeviceBytes(sizeof(u64));
    status_.fill(0);
  }
  void decode(std::size_t copy, cudaStream_t stream) override {
    for (std::size_t i = 0; i < plans_.size(); ++i) {
      gpu_decode(plans_[i], images_[copy].data() + image_places_[i], outputs_.copy(copy) + word_places_[i],
                 scratch_.data(), status_.as<u64>(), stream);
    }
  }
  bool can_encode() const override { return true; }
  // Counts and encodes every layer; codes are chosen before, once. The first records are compared with the CPU's, by
  // their size and checksum.
  void encode(cudaStream_t stream) override {
    if (encodings_.empty()) prepare_encodings();
    for (const Encoding& encoding : encodings_) {
      gpu_count(encoding.plan, encoding.memory, stream);
      gpu_encode(encoding.plan, encoding.codes, encoding.memory, stream);
    }
  }
  void check() override {
    check_cuda(cudaDeviceSynchronize(), "decoding");
    u64 status = 0;
    status_.read(&status, sizeof status);
    check_gpu_status(status);
    outputs_.check(spec_);
  }

 private:
  struct Encoding {
    GpuEncodePlan plan;
    GpuEncodeCodes codes;
    DeviceBytes image, output;
    GpuEncodeMemory memory;
  };
  void prepare_encodings() {
    const auto& layers = original_.set.layers;
    const u32 warps = gpu_encode_warps();
    u64 work = 0, at = 0;
    for (const QuantizedTensor& layer : layers) {
      Encoding encoding{
          plan_gpu_encode(layer.rows, layer.cols, layer.format, parse_coder(spec_), warps), {}, {}, {}, {}};
      work = std::max(work, encoding.plan.work_size);
      encodings_.push_back(std::move(encoding));
    }
    work_ = DeviceBytes(work);
    for (std::size_t i = 0; i < layers.size(); ++i) {
      Encoding& encoding = encodings_[i];
      encoding.image = DeviceBytes(encoding.plan.image_size);
      encoding.output = DeviceBytes(encoding.plan.output_size);
      encoding.memory = {original_.words.data() + at, encoding.image.data(), work_.data(), encoding.output.data()};
      at += layers[i].words.size();
      gpu_count(encoding.plan, encoding.memory, nullptr);
      encoding.codes = choose_gpu_codes(encoding.plan, encoding.memory, nullptr);
      gpu_encode(encoding.plan, encoding.codes, encoding.memory, nullptr);
      const EncodedTensor encoded =
          finish_gpu_encode(encoding.plan, encoding.codes, encoding.memory, layers[i].scales, nullptr);
      u32 crc = 0;
      std::memcpy(&crc, encoded.bytes.data() + encoded.bytes.size() - sizeof(u32), sizeof(u32));
      if (encoded.bytes.size() != sizes_[i] || crc != crcs_[i])
        throw Error(ErrorKind::internal, spec_ + ": the GPU's record is not the CPU's");
    }
  }

  std::string spec_;
  const GpuOriginal& original_;
  Outputs outputs_;
  std::vector<GpuPlan> plans_;
  std::vector<u64> sizes_;
  std::vector<u32> crcs_;
  std::vector<Encoding> encodings_;
  DeviceBytes work_;
  std::vector<u64> image_places_, word_places_;
  u64 image_size_ = 0, words_size_ = 0, coded_ = 0;
  std::vector<DeviceBytes> images_;
  DeviceBytes scratch_, status_;
};

NvcompSpec read_spec(const std::string& text) {
  const Spec spec = parse_spec(text);
  return read_nvcomp_spec(OptionReader(spec, kNvcompOptions));
}

class NvcompSubject final : public GpuSubject {
 public:
  NvcompSubject(const std::string& spec, const GpuOriginal& original)
      : spec_(spec), coder_(read_spec(spec)), original_(original), outputs_(original) {
    stream_ = coder_.compress(original.words.data(), original.words.size());
  }
  u64 coded_bytes() const override { return stream_.coded_bytes(); }
  void prepare(std::size_t copies) override {
    jobs_.clear();
    streams_.clear();
    outputs_.prepare(copies);
    for (std::size_t c = 0; c < copies; ++c) {
      streams_.emplace_back(stream_.bytes_size);
      check_cuda(cudaMemcpy(streams_.back().data(), stream_.bytes.get(), stream_.bytes_size, cudaMemcpyDeviceToDevice),
                 "copying a stream");
      jobs_.push_back(coder_.prepare_decompress(stream_, streams_.back().data(), outputs_.copy(c)));
    }
  }
  void decode(std::size_t copy, cudaStream_t stream) override { jobs_[copy]->launch(stream); }
  bool can_encode() const override { return true; }
  void encode(cudaStream_t stream) override {
    if (!encode_) encode_ = coder_.prepare_compress(original_.words.data(), original_.words.size());
    encode_->launch(stream);
  }
  void check() override {
    for (const auto& job : jobs_) job->check();
    outputs_.check(spec_);
  }

 private:
  std::string spec_;
  NvcompCoder coder_;
  const GpuOriginal& original_;
  Outputs outputs_;
  NvcompStream stream_;
  std::vector<DeviceBytes> streams_;
  std::vector<std::unique_ptr<NvcompCoder::Job>> jobs_;
  std::unique_ptr<NvcompCoder::Job> encode_;
};

}  // namespace

GpuOriginal::GpuOriginal(const GpuDataSet& from) : set(from), words(from.words_bytes()) {
  u64 at = 0;
  for (const QuantizedTensor& layer : from.layers) {
    check_cuda(cudaMemcpy(words.data() + at, layer.words.data(), layer.words.size(), cudaMemcpyHostToDevice),
               "copying the original to the GPU");
    at += layer.words.size();
  }
}

std::unique_ptr<GpuSubject> make_wcodec_subject(const std::string& spec, const GpuOriginal& original) {
  return std::make_unique<WcodecSubject>(spec, original);
}
std::unique_ptr<GpuSubject> make_nvcomp_subject(const std::string& spec, const GpuOriginal& original) {
  return std::make_unique<NvcompSubject>(spec, original);
}

}  // namespace wcodec
