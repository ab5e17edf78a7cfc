#include "experiments/cpu_timing.hpp"

#include <sched.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cmath>
#include <exception>
#include <functional>
#include <optional>
#include <thread>

#include "codec/stages.hpp"
#include "codec/tensor_codec.hpp"
#include "core/error.hpp"
#include "entropy/lane_kernels.hpp"
#include "experiments/arranged_record.hpp"

namespace wcodec {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

class CodecSubject : public TimingSubject {
 public:
  CodecSubject(QuantizedTensor tensor, const Cell& cell)
      : tensor_(std::move(tensor)),
        shape_(parse_tile(cell.tile)),
        modes_(parse_mode_set(split_modes(cell.modes))),
        transforms_(parse_transform_set(cell.transform)),
        coder_(parse_coder(cell.coder)) {
    if (cell.order != "identity" || cell.approx != "none") front_ = parse_front(cell.order, cell.approx);
    encoded_ = encode_once();
    if (decode_once().words != tensor_.words)
      throw Error(ErrorKind::internal, "the decoded tensor differs from the original");
  }
  void encode() override { encoded_ = encode_once(); }
  void decode() override { decoded_ = decode_once(); }
  u64 symbol_bytes() const override { return tensor_.symbol_bytes(); }
  u64 coded_bytes() const override { return encoded_.bytes.size(); }

 protected:
  EncodedTensor encode_once() const {
    if (!front_) return encode_tensor(tensor_, shape_, modes_, coder_, transforms_);
    const FrontedTensor fronted = apply_front(tensor_, *front_);
    return join_front(fronted, encode_tensor(fronted.tensor, shape_, modes_, coder_, transforms_));
  }
  QuantizedTensor decode_once() const {
    return front_ ? decode_fronted(encoded_.bytes, tensor_.weights()) : decode_tensor(encoded_.bytes);
  }

 private:
  QuantizedTensor tensor_, decoded_;
  TileShape shape_;
  std::vector<PredictorChoice> modes_;
  TransformSet transforms_;
  CoderChoice coder_;
  std::optional<Front> front_;
  EncodedTensor encoded_;
};

// The scalar step alone, in this process and for as long as it takes: subjects are timed one at a time.
class ScalarScope {
 public:
  ScalarScope() { force_lane_kernels("scalar"); }
  ~ScalarScope() { force_lane_kernels({}); }
  ScalarScope(const ScalarScope&) = delete;
  ScalarScope& operator=(const ScalarScope&) = delete;
};

class ScalarSubject final : public CodecSubject {
 public:
  using CodecSubject::CodecSubject;
  void encode() override {
    const ScalarScope scalar;
    CodecSubject::encode();
  }
  void decode() override {
    const ScalarScope scalar;
    CodecSubject::decode();
  }
};

int usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

// Every core codes a copy of its own; the time is that of all of them, over their number.
class AllCoresSubject final : public CodecSubject {
 public:
  AllCoresSubject(QuantizedTensor tensor, const Cell& cell) : CodecSubject(std::move(tensor), cell) {
    const auto start = Clock::now();
    decode_once();
    // Long enough that starting and joining threads does not count.
    rounds_ = static_cast<int>(std::clamp(std::ceil(kLongEnough / std::max(1e-6, seconds_since(start))), 1.0, 1000.0));
  }
  void encode() override {
    CodecSubject::encode();
    encode_seconds_ = together(1, [&] { encode_once(); });
  }
  void decode() override {
    decode_seconds_ = together(rounds_, [&] { decode_once(); });
  }
  DeviceTime device_time() const override { return {encode_seconds_, decode_seconds_, kNotTimed, kNotTimed, false}; }
  int threads() const override { return cores_; }

 private:
  static constexpr double kLongEnough = 0.02;

  double together(int rounds, const std::function<void()>& work) const {
    std::barrier ready(cores_ + 1);
    std::vector<std::exception_ptr> errors(static_cast<std::size_t>(cores_));
    std::vector<std::jthread> threads;
    for (std::exception_ptr& error : errors) {
      threads.emplace_back([&, failure = &error] {
        ready.arrive_and_wait();
        try {
          for (int i = 0; i < rounds; ++i) work();
        } catch (...) {
          *failure = std::current_exception();
        }
      });
    }
    const auto start = Clock::now();
    ready.arrive_and_wait();
    for (std::jthread& thread : threads) thread.join();
    const double seconds = seconds_since(start);
    for (const std::exception_ptr& error : errors) {
      if (error) std::rethrow_exception(error);
    }
    return seconds / rounds / cores_;
  }

  int cores_ = usable_cores(), rounds_ = 1;
  double encode_seconds_ = kNotTimed, decode_seconds_ = kNotTimed;
};

class BaselineSubject final : public TimingSubject {
 public:
  BaselineSubject(const PreparedBaseline& baseline, std::vector<u8> input, u64 symbol_bytes, u64 scale_bytes)
      : baseline_(baseline),
        input_(std::move(input)),
        coded_(baseline_.bound(input_.size())),
        back_(input_.size()),
        symbol_bytes_(symbol_bytes),
        scale_bytes_(scale_bytes) {
    encode();
    decode();
    if (back_ != input_) throw Error(ErrorKind::internal, baseline_.spec + " did not give the bytes back");
  }
  void encode() override {
    Failure why;
    const auto size = baseline_.compress(input_, coded_, why);
    if (!size) throw Error(ErrorKind::unsupported, "compression failed: " + std::string(why.text()));
    size_ = *size;
    encode_seconds_ = own_seconds();
  }
  void decode() override {
    Failure why;
    if (!baseline_.decompress(Bytes(coded_).first(size_), back_, why)) {
      throw Error(ErrorKind::internal, "decompression failed: " + std::string(why.text()));
    }
    decode_seconds_ = own_seconds();
  }
  u64 symbol_bytes() const override { return symbol_bytes_; }
  u64 coded_bytes() const override { return size_ + scale_bytes_; }
  DeviceTime device_time() const override { return {encode_seconds_, decode_seconds_, kNotTimed, kNotTimed, false}; }

 private:
  double own_seconds() const {
    return baseline_.row->own_seconds == nullptr ? kNotTimed : baseline_.row->own_seconds();
  }

  PreparedBaseline baseline_;
  std::vector<u8> input_, coded_, back_;
  std::size_t size_ = 0;
  u64 symbol_bytes_, scale_bytes_;
  double encode_seconds_ = kNotTimed, decode_seconds_ = kNotTimed;
};

}  // namespace

std::unique_ptr<TimingSubject> make_codec_subject(QuantizedTensor tensor, const Cell& cell, const CellDevice& device) {
  switch (device.kind) {
    case CellDevice::Kind::scalar_core:
      return std::make_unique<ScalarSubject>(std::move(tensor), cell);
    case CellDevice::Kind::all_cores:
      return std::make_unique<AllCoresSubject>(std::move(tensor), cell);
    case CellDevice::Kind::gpu:
      throw Error(ErrorKind::internal, "a GPU is not timed on the CPU");
    case CellDevice::Kind::core:
      break;
  }
  return std::make_unique<CodecSubject>(std::move(tensor), cell);
}

std::unique_ptr<TimingSubject> make_baseline_subject(const PreparedBaseline& baseline, std::vector<u8> input,
                                                     u64 symbol_bytes, u64 scale_bytes) {
  return std::make_unique<BaselineSubject>(baseline, std::move(input), symbol_bytes, scale_bytes);
}

}  // namespace wcodec
