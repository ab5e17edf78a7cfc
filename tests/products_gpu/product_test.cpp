// Products on the GPU against double precision on the CPU, and decoded weights to the bit.
#include "products/product.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "codec/gpu_decode.hpp"
#include "core/error.hpp"
#include "core/philox.hpp"
#include "products/packed_matrix.hpp"
#include "quantizers/half.hpp"
#include "tests/gpu/device_buffer.hpp"

namespace wcodec {
namespace {

class GpuProduct : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = why_no_gpu(); !why.empty()) GTEST_SKIP() << "GPU tests need a GPU: " << why;
  }
};

template <class T>
Bytes bytes_of(const std::vector<T>& v) {
  return Bytes(reinterpret_cast<const u8*>(v.data()), v.size() * sizeof(T));
}

// Weights as the quantizer's numbers, and packed.
struct Packed {
  i64 rows, cols;
  std::vector<double> values;
  PackedMatrix matrix;
};

constexpr const char* kFormats[] = {"plain",
                                    "lossless",
                                    "int8:axis=row",
                                    "int8:axis=group,group=64",
                                    "int4:group=128",
                                    "int4:group=64,symmetric=false",
                                    "int4:axis=row,scale=f32",
                                    "int4:group=256,scale=bf16"};

Packed make(const std::string& format, i64 rows, i64 cols, u64 seed) {
  Philox random(seed, 2);
  std::vector<u16> weights;
  for (i64 r = 0; r < rows; ++r) {
    const double scale = 0.05 * std::exp(0.5 * random.normal());
    // Every 50th is far below the others, so that palettes have escapes; f16 could not hold such scales.
    const bool has_tiny = !format.starts_with("int4");
    for (i64 c = 0; c < cols; ++c) {
      const double factor = has_tiny && random.below(50) == 0 ? 1e-9 : 1;
      weights.push_back(float_to_bf16(static_cast<float>(scale * random.normal() * factor)));
    }
  }
  Packed out{rows, cols, {}, {}};
  if (format == "plain") {
    out.matrix = pack_bf16_plain(rows, cols, weights);
    for (const u16 w : weights) out.values.push_back(bf16_to_float(w));
    return out;
  }
  const QuantizerChoice quantizer = parse_quantizer(format);
  const QuantizedTensor tensor =
      quantizer.row->quantize({"w", DType::bf16, rows, cols, bytes_of(weights)}, quantizer.spec);
  out.matrix = pack(tensor, quantizer);
  const std::vector<float> values = quantizer.row->dequantize(tensor, quantizer.spec);
  out.values.assign(values.begin(), values.end());
  return out;
}

std::vector<u16> random_vectors(i64 count, u64 seed) {
  Philox random(seed, 3);
  std::vector<u16> x;
  for (i64 i = 0; i < count; ++i) x.push_back(float_to_bf16(static_cast<float>(random.normal())));
  return x;
}

constexpr i64 round_up(i64 n, i64 to) { return (n + to - 1) / to * to; }

// y on the device, with a margin that must stay as it was.
struct Output {
  ProductOutput type;
  i64 rows, stride;
  int batch;
  DeviceBuffer memory;

  Output(ProductOutput as, i64 length, int count)
      : type(as),
        rows(length),
        stride(length + 3),
        batch(count),
        memory(static_cast<std::size_t>(stride * batch) * (type == ProductOutput::f32 ? 4 : 2)) {
    memory.fill(0xa5);
  }
  std::vector<float> read() const {
    const std::vector<u8> bytes = memory.read();
    std::vector<float> y;
    for (i64 b = 0; b < batch; ++b) {
      for (i64 r = 0; r < stride; ++r) {
        float value;
        if (type == ProductOutput::f32) {
          std::memcpy(&value, bytes.data() + 4 * (b * stride + r), 4);
        } else {
          u16 half;
          std::memcpy(&half, bytes.data() + 2 * (b * stride + r), 2);
          value = bf16_to_float(half);
        }
        if (r < rows) {
          y.push_back(value);
        } else {
          const u32 margin = type == ProductOutput::f32 ? 0xa5a5a5a5u : 0xa5a50000u;
          EXPECT_EQ(std::bit_cast<u32>(value), margin) << "vector " << b << " writes behind its rows";
        }
      }
    }
    return y;
  }
};

std::vector<float> run(const PackedMatrix& matrix, const std::vector<u16>& x, i64 x_stride, int batch,
                       ProductOutput type) {
  const DeviceBuffer image{Bytes(matrix.image)}, vectors{bytes_of(x)};
  const Output y(type, matrix.shape.rows, batch);
  product(matrix.shape, image.data(),
          {reinterpret_cast<const u16*>(vectors.data()), x_stride, y.memory.data(), y.stride, type, batch}, nullptr);
  cuda_check(cudaDeviceSynchronize());
  return y.read();
}

void expect_product(const Packed& packed, int batch, ProductOutput type) {
  const i64 stride = round_up(packed.cols, 8);
  // Exactly as long as it must be, so that a checker sees what reads beyond.
  const std::vector<u16> x = random_vectors((batch - 1) * stride + packed.cols, static_cast<u64>(batch));
  const std::vector<float> y = run(packed.matrix, x, stride, batch, type);
  for (int b = 0; b < batch; ++b) {
    for (i64 r = 0; r < packed.rows; ++r) {
      double exact = 0, magnitude = 0;
      for (i64 c = 0; c < packed.cols; ++c) {
        const double term = packed.values[static_cast<std::size_t>(r * packed.cols + c)] *
                            bf16_to_float(x[static_cast<std::size_t>(b * stride + c)]);
        exact += term;
        magnitude += std::fabs(term);
      }
      // Sums in fp32 through the tensor cores, which may cut instead of round; then one rounding to bf16.
      const double allowed = 4e-6 * magnitude + (type == ProductOutput::bf16 ? 0x1p-8 * std::fabs(exact) : 0) + 1e-30;
      ASSERT_NEAR(y[static_cast<std::size_t>(b * packed.rows + r)], exact, allowed)
          << packed.rows << " x " << packed.cols << ", vector " << b << " of " << batch << ", row " << r;
    }
  }
}

TEST_F(GpuProduct, IsTheProductForEveryFormatAndBatch) {
  for (const char* format : kFormats) {
    SCOPED_TRACE(format);
    const Packed packed = make(format, 200, 1100, 1);
    for (const int batch : {1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 24, 31, 32}) {
      for (const ProductOutput type : {ProductOutput::bf16, ProductOutput::f32}) {
        expect_product(packed, batch, type);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_F(GpuProduct, IsTheProductForEveryShape) {
  for (const char* format : kFormats) {
    SCOPED_TRACE(format);
    for (const auto& [rows, cols] : {std::pair<i64, i64>{1, 1},
                                     {1, 64},
                                     {16, 63},
                                     {17, 64},
                                     {15, 65},
                                     {33, 127},
                                     {64, 512},
                                     {65, 513},
                                     {128, 576},
                                     {129, 4096},
                                     {3, 11008},
                                     {300, 40}}) {
      const Packed packed = make(format, rows, cols, static_cast<u64>(rows + cols));
      for (const int batch : {1, 5, 12, 20}) {
        expect_product(packed, batch, ProductOutput::f32);
        if (HasFatalFailure()) return;
      }
    }
  }
}

// A vector that is 1 in one place picks a column: every finite weight must come back with its own bits.
TEST_F(GpuProduct, EveryFiniteWeightIsItself) {
  Philox random(9, 2);
  std::vector<u16> any(48 * 64), spread;
  for (u16& w : any) {
    do w = static_cast<u16>(random.next32());
    while ((w & 0x7f80) == 0x7f80);
  }
  for (int i = 0; i < 48 * 64; ++i) {  // mostly of one palette: exponents 0 (subnormal) to 13, and all others
    const u32 exponent = random.below(10) ? random.below(14) : random.below(255);
    spread.push_back(static_cast<u16>(random.below(2) << 15 | exponent << 7 | random.below(128)));
  }
  for (const std::vector<u16>& weights : {any, spread}) {
    for (const PackedMatrix& matrix : {pack_bf16_plain(48, 64, weights), pack_bf16_palette(48, 64, weights)}) {
      for (int first = 0; first < 64; first += 32) {
        std::vector<u16> x(32 * 64);
        for (int b = 0; b < 32; ++b) x[static_cast<std::size_t>(b * 64 + first + b)] = 0x3f80;
        const std::vector<float> y = run(matrix, x, 64, 32, ProductOutput::f32);
        for (int b = 0; b < 32; ++b) {
          for (int r = 0; r < 48; ++r) {
            const float wanted = bf16_to_float(weights[static_cast<std::size_t>(r * 64 + first + b)]);
            // A negative zero is added to zeros, which makes it positive.
            ASSERT_EQ(y[static_cast<std::size_t>(b * 48 + r)], wanted)
                << to_string(matrix.shape.format) << ", row " << r << ", column " << first + b;
          }
        }
      }
    }
  }
}

TEST_F(GpuProduct, InfinityAndNanWeightsSpoilTheirRowsOnly) {
  std::vector<u16> weights(32 * 64, 0x3f80);
  weights[3 * 64 + 5] = 0x7f80;
  weights[20 * 64 + 63] = 0x7fc0;
  const std::vector<u16> x(64, 0x3f80);
  for (const PackedMatrix& matrix : {pack_bf16_plain(32, 64, weights), pack_bf16_palette(32, 64, weights)}) {
    const std::vector<float> y = run(matrix, x, 64, 1, ProductOutput::bf16);
    for (std::size_t r = 0; r < 32; ++r) {
      if (r == 3) {
        EXPECT_TRUE(std::isinf(y[r]) && y[r] > 0);
      } else if (r == 20) {
        EXPECT_TRUE(std::isnan(y[r]));
      } else {
        EXPECT_EQ(y[r], 64.0f);
      }
    }
  }
}

TEST_F(GpuProduct, TheSameCallGivesTheSameBits) {
  const Packed packed = make("lossless", 1000, 3000, 4);
  const std::vector<u16> x = random_vectors(4 * 3000, 5);
  const std::vector<float> first = run(packed.matrix, x, 3000, 4, ProductOutput::f32);
  for (int again = 0; again < 5; ++again) EXPECT_EQ(run(packed.matrix, x, 3000, 4, ProductOutput::f32), first);
}

// Layers one after another, each reading what the one before wrote, as a graph that is replayed: launches overlap, and
// must not read too early.
TEST_F(GpuProduct, AChainOfProductsInAGraphIsTheChainOneByOne) {
  constexpr i64 kSide = 2048;
  constexpr int kLayers = 12, kBatch = 3;
  std::vector<Packed> layers;
  std::vector<DeviceBuffer> images, vectors;
  vectors.emplace_back(bytes_of(random_vectors(kBatch * kSide, 6)));
  for (int l = 0; l < kLayers; ++l) {
    layers.push_back(make(kFormats[l % std::size(kFormats)], kSide, kSide, 40 + static_cast<u64>(l)));
    images.emplace_back(Bytes(layers.back().matrix.image));
    vectors.emplace_back(std::size_t{kBatch * kSide * 2});
  }
  const auto layer = [&](int l, cudaStream_t stream) {
    product(layers[static_cast<std::size_t>(l)].matrix.shape, images[static_cast<std::size_t>(l)].data(),
            {reinterpret_cast<const u16*>(vectors[static_cast<std::size_t>(l)].data()), kSide,
             vectors[static_cast<std::size_t>(l) + 1].data(), kSide, ProductOutput::bf16, kBatch},
            stream);
  };
  cudaStream_t stream;
  cuda_check(cudaStreamCreate(&stream));
  std::vector<std::vector<u8>> wanted;
  for (int l = 0; l < kLayers; ++l) {
    layer(l, stream);
    cuda_check(cudaStreamSynchronize(stream));
    wanted.push_back(vectors[static_cast<std::size_t>(l) + 1].read());
  }
  cudaGraph_t graph;
  cudaGraphExec_t exec;
  cuda_check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  for (int l = 0; l < kLayers; ++l) layer(l, stream);
  cuda_check(cudaStreamEndCapture(stream, &graph));
  cuda_check(cudaGraphInstantiate(&exec, graph, 0));
  for (int replay = 0; replay < 20; ++replay) {
    for (int l = 0; l < kLayers; ++l) vectors[static_cast<std::size_t>(l) + 1].fill(0xa5);
    cuda_check(cudaDeviceSynchronize());
    cuda_check(cudaGraphLaunch(exec, stream));
    cuda_check(cudaStreamSynchronize(stream));
    for (int l = 0; l < kLayers; ++l)
      ASSERT_EQ(vectors[static_cast<std::size_t>(l) + 1].read(), wanted[static_cast<std::size_t>(l)]) << "layer " << l;
  }
  cuda_check(cudaGraphExecDestroy(exec));
  cuda_check(cudaGraphDestroy(graph));
  cuda_check(cudaStreamDestroy(stream));
}

}  // namespace
}  // namespace wcodec
