#include "bench/gpu_data.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>
#include <thread>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "core/sources/source.hpp"
#include "quantizers/half.hpp"
#include "quantizers/registry.hpp"

namespace wcodec {
namespace {

constexpr u64 kMiB = u64{1} << 20;
constexpr u64 kLargestLayer = 128 * kMiB;  // larger ones are cut, as parts of a file are
constexpr u64 kRowUnit = 16;               // so that every layer begins and ends at a multiple of 16 bytes

template <class Work>
void in_parallel(std::size_t count, const Work& work) {
  std::atomic<std::size_t> next{0};
  std::vector<std::thread> threads;
  for (unsigned w = 0; w < std::max(1u, std::thread::hardware_concurrency()); ++w) {
    threads.emplace_back([&] {
      for (std::size_t i = next++; i < count; i = next++) work(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// `rows` rows of `tensor`: whole rounds over all of its rows, each round in an order of its own, the first as it is.
QuantizedTensor repeated(const QuantizedTensor& tensor, u64 rows, u64 seed) {
  const u64 own = static_cast<u64>(tensor.rows), row_bytes = tensor.words.size() / own;
  QuantizedTensor out;
  out.rows = static_cast<i64>(rows);
  out.cols = tensor.cols;
  out.format = tensor.format;
  out.words.resize(rows * row_bytes);
  in_parallel((rows + own - 1) / own, [&](std::size_t round) {
    std::vector<u32> order(own);
    std::iota(order.begin(), order.end(), 0u);
    Philox random(seed, round);
    for (u64 i = own; i > 1 && round > 0; --i) std::swap(order[i - 1], order[random.below64(i)]);
    for (u64 r = 0; r < std::min(own, rows - round * own); ++r)
      std::memcpy(out.words.data() + (round * own + r) * row_bytes, tensor.words.data() + order[r] * row_bytes,
                  row_bytes);
  });
  return out;
}

u64 whole_units(u64 rows) { return std::max(kRowUnit, rows / kRowUnit * kRowUnit); }

// Parts of about kLargestLayer at most, of about equal numbers of rows.
void add_parts(const QuantizedTensor& tensor, std::vector<QuantizedTensor>& out) {
  const u64 rows = static_cast<u64>(tensor.rows), row_bytes = tensor.words.size() / rows;
  const u64 parts = (tensor.words.size() + kLargestLayer - 1) / kLargestLayer;
  for (u64 p = 0; p < parts; ++p) {
    const u64 units = rows / kRowUnit;
    const u64 first = units * p / parts * kRowUnit, last = units * (p + 1) / parts * kRowUnit;
    QuantizedTensor part;
    part.rows = static_cast<i64>(last - first);
    part.cols = tensor.cols;
    part.format = tensor.format;
    part.words.assign(tensor.words.begin() + static_cast<std::ptrdiff_t>(first * row_bytes),
                      tensor.words.begin() + static_cast<std::ptrdiff_t>(last * row_bytes));
    out.push_back(std::move(part));
  }
}

std::vector<u8> rounded_to_bf16(std::span<const float> values) {
  std::vector<u8> out(2 * values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const u16 word = float_to_bf16(values[i]);
    std::memcpy(out.data() + 2 * i, &word, 2);
  }
  return out;
}

}  // namespace

u64 GpuDataSet::words_bytes() const noexcept {
  u64 sum = 0;
  for (const QuantizedTensor& layer : layers) sum += layer.words.size();
  return sum;
}

u64 GpuDataSet::symbol_bytes() const noexcept {
  u64 sum = 0;
  for (const QuantizedTensor& layer : layers) sum += layer.symbol_bytes();
  return sum;
}

GpuModel GpuModel::from_checkpoint(const std::string& name, const std::string& address) {
  const auto checkpoint = open_checkpoint(address);
  GpuModel model;
  model.name_ = name;
  for (std::size_t i = 0; i < checkpoint->tensors().size(); ++i) {
    const TensorInfo& tensor = checkpoint->tensors()[i];
    if (tensor.rows < 64 || tensor.cols < 64 || !is_quantizable(tensor.dtype)) continue;
    const bool is_embedding = tensor.kind == "embedding" || tensor.kind == "lm_head";
    model.matrices_.push_back({tensor.name, is_embedding, tensor.rows, tensor.cols, tensor.dtype, checkpoint->read(i)});
  }
  if (model.matrices_.empty()) {
    throw Error(ErrorKind::unsupported,
                fmt::format("{}: no floating-point matrix of 64 × 64 or more", printable(address)));
  }
  return model;
}

GpuModel GpuModel::gaussian() {
  constexpr i64 kSide = 4096;
  constexpr std::size_t kBands = 64;
  GpuModel model;
  model.name_ = "gaussian";
  std::vector<float> values(kSide * kSide);
  in_parallel(kBands, [&](std::size_t band) {
    Philox random(band, 7);
    for (std::size_t row = band * kSide / kBands; row < (band + 1) * kSide / kBands; ++row) {
      const double scale = 0.02 * std::exp(0.3 * random.normal());
      for (std::size_t c = 0; c < kSide; ++c) values[row * kSide + c] = static_cast<float>(scale * random.normal());
    }
  });
  std::vector<u8> bytes(values.size() * sizeof(float));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  model.matrices_.push_back({"gaussian", false, kSide, kSide, DType::f32, std::move(bytes)});
  return model;
}

u64 GpuModel::weights() const noexcept {
  u64 sum = 0;
  for (const Matrix& matrix : matrices_) sum += static_cast<u64>(matrix.rows) * static_cast<u64>(matrix.cols);
  return sum;
}

QuantizedTensor GpuModel::quantize(const Matrix& matrix, sv data) const {
  const MatrixView view{matrix.name, matrix.dtype, matrix.rows, matrix.cols, matrix.bytes};
  QuantizedTensor out;
  if (data == "bf16") {
    out.rows = matrix.rows;
    out.cols = matrix.cols;
    out.format = word_format(info(DType::bf16));
    out.words = matrix.dtype == DType::bf16 ? matrix.bytes : rounded_to_bf16(to_floats(view));
    return out;
  }
  const char* const spec = data == "int8ch"   ? "int8:axis=row"
                           : data == "int8pt" ? "int8:axis=tensor"
                           : data == "int4"   ? "int4:group=128"
                           : data == "fp8"    ? "fp8:axis=row"
                                              : nullptr;
  if (spec == nullptr) throw Error(ErrorKind::usage, unknown_name("data", data, kGpuData));
  const QuantizerChoice choice = parse_quantizer(spec);
  out = choice.row->quantize(view, choice.spec);
  out.scales.clear();
  return out;
}

GpuDataSet GpuModel::make(sv data, u64 mebibytes) const {
  GpuDataSet out;
  out.model = name_;
  out.data = data;
  out.mebibytes = mebibytes;
  const u64 wanted = mebibytes * kMiB;
  if (mebibytes <= kLayerMebibytes) {
    const Matrix& largest = *std::max_element(matrices_.begin(), matrices_.end(), [](const Matrix& a, const Matrix& b) {
      return std::pair(!a.is_embedding, a.bytes.size()) < std::pair(!b.is_embedding, b.bytes.size());
    });
    const QuantizedTensor words = quantize(largest, data);
    const u64 row_bytes = words.words.size() / static_cast<u64>(words.rows);
    out.layers.push_back(repeated(words, whole_units(wanted / row_bytes), 1));
    return out;
  }
  std::vector<QuantizedTensor> all(matrices_.size());
  in_parallel(all.size(), [&](std::size_t i) { all[i] = quantize(matrices_[i], data); });
  u64 total = 0;
  for (const QuantizedTensor& tensor : all) total += tensor.words.size();
  for (std::size_t i = 0; i < all.size(); ++i) {
    const u64 rows =
        static_cast<u64>(static_cast<double>(all[i].rows) * static_cast<double>(wanted) / static_cast<double>(total));
    add_parts(repeated(all[i], whole_units(rows), i + 1), out.layers);
  }
  return out;
}

}  // namespace wcodec
