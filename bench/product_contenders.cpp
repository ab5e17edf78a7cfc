#include "bench/product_contenders.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <thread>

#include "bench/product_reference.hpp"
#include "core/error.hpp"
#include "core/philox.hpp"
#include "products/packed_matrix.hpp"
#include "products/product.hpp"
#include "quantizers/half.hpp"

namespace wcodec {
namespace {

// Rows of their own up to kOwnRows; beyond, rows of these in random order, as making them takes longer than measuring.
constexpr i64 kOwnRows = 4096;

std::vector<u16> gaussian_weights(i64 rows, i64 cols) {
  std::vector<u16> out(static_cast<std::size_t>(rows * cols));
  const i64 own = std::min(rows, kOwnRows), workers = std::max(1u, std::thread::hardware_concurrency());
  std::vector<std::thread> threads;
  for (i64 w = 0; w < workers; ++w) {
    threads.emplace_back([&, w] {
      for (i64 row = own * w / workers; row < own * (w + 1) / workers; ++row) {
        Philox random(static_cast<u64>(row), 7);
        const double scale = 0.02 * std::exp(0.3 * random.normal());
        for (i64 c = 0; c < cols; ++c)
          out[static_cast<std::size_t>(row * cols + c)] = float_to_bf16(static_cast<float>(scale * random.normal()));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  Philox random(99, 8);
  for (i64 row = own; row < rows; ++row) {
    std::memcpy(out.data() + row * cols, out.data() + random.below(static_cast<u32>(own)) * cols,
                static_cast<std::size_t>(cols) * 2);
  }
  return out;
}

template <class T>
Bytes bytes_of(const std::vector<T>& v) {
  return Bytes(reinterpret_cast<const u8*>(v.data()), v.size() * sizeof(T));
}

}  // namespace

Contenders::Contenders(i64 rows, i64 cols, const ContenderOptions& options, const CublasProducts* cublas,
                       cudaStream_t stream)
    : rows_(rows), cols_(cols), stream_(stream) {
  const std::vector<u16> weights = gaussian_weights(rows, cols);
  const MatrixView view{"weights", DType::bf16, rows, cols, bytes_of(weights)};
  const auto keep = [&](const std::vector<float>& values) -> const DeviceBytes& {
    return *exact_.emplace_back(std::make_unique<DeviceBytes>(bytes_of(values)));
  };
  const DeviceBytes& plain_values = keep(to_floats(view));
  if (cublas != nullptr) {
    add("cublas", view.bytes, plain_values, options.rotate, [=](const u8* w, const u16* x, u16* y, int batch) {
      cublas->product(reinterpret_cast<const u16*>(w), static_cast<int>(rows), static_cast<int>(cols), x, y, batch);
    });
  }
  for (const std::string& format : options.formats) {
    PackedMatrix packed;
    const DeviceBytes* exact = &plain_values;
    if (format == "bf16") {
      packed = pack_bf16_plain(rows, cols, weights);
    } else if (format == "bf16-palette") {
      packed = pack_bf16_palette(rows, cols, weights);
    } else {
      const QuantizerChoice quantizer = parse_quantizer(format == "int8" ? "int8:axis=row" : "int4:group=128");
      const QuantizedTensor tensor = quantizer.row->quantize(view, quantizer.spec);
      exact = &keep(quantizer.row->dequantize(tensor, quantizer.spec));
      packed = pack(tensor, quantizer);
    }
    const PackedShape shape = packed.shape;
    add(format, packed.image, *exact, options.rotate, [=](const u8* w, const u16* x, u16* y, int batch) {
      product(shape, w, {x, cols, y, rows, ProductOutput::bf16, batch}, stream);
    });
  }
}

void Contenders::add(const std::string& name, Bytes image, const DeviceBytes& exact, u64 rotate,
                     std::function<void(const u8*, const u16*, u16*, int)> product) {
  Contender out{name, image.size(), &exact, {}, std::move(product)};
  out.copies.emplace_back(image);
  for (u64 bytes = image.size(); bytes < rotate || out.copies.size() < 2; bytes += image.size()) {
    DeviceBytes copy(image.size());
    check_cuda(cudaMemcpy(copy.data(), out.copies.front().data(), image.size(), cudaMemcpyDeviceToDevice),
               "copying a matrix");
    out.copies.push_back(std::move(copy));
  }
  contenders_.push_back(std::move(out));
}

double Contenders::error(const Contender& contender, const DeviceBytes& x, const DeviceBytes& y, int batch) const {
  const auto count = static_cast<std::size_t>(rows_ * batch);
  const DeviceBytes exact(count * sizeof(double));
  exact_product(contender.exact->as<float>(), rows_, cols_, x.as<u16>(), exact.as<double>(), batch, stream_);
  check_cuda(cudaStreamSynchronize(stream_), "multiplying in double precision");
  std::vector<double> wanted(count);
  exact.read(wanted.data(), exact.size());
  double worst = 0;
  std::vector<u16> got(count);
  for (const DeviceBytes& copy : contender.copies) {
    y.fill(0xff);  // NaN: an element left out spoils the norm
    check_cuda(cudaDeviceSynchronize(), "filling y");
    contender.product(copy.data(), x.as<u16>(), y.as<u16>(), batch);
    check_cuda(cudaStreamSynchronize(stream_), "multiplying");
    y.read(got.data(), count * 2);
    double off = 0, norm = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const double difference = static_cast<double>(bf16_to_float(got[i])) - wanted[i];
      off += difference * difference;
      norm += wanted[i] * wanted[i];
    }
    const double error = std::sqrt(off / norm);
    if (!(error < 0.01)) {
      throw Error(ErrorKind::internal, fmt::format("{}: y of {} x {} and batch {} is off by {} of its norm",
                                                   contender.name, rows_, cols_, batch, error));
    }
    worst = std::max(worst, error);
  }
  return worst;
}

}  // namespace wcodec
