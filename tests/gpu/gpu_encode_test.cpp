// The GPU writes the records that the CPU writes, byte for byte, and books them alike.
#include "codec/gpu_encode.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "codec/gpu_decode.hpp"
#include "core/error.hpp"
#include "core/philox.hpp"
#include "tests/codec/sample_tensor.hpp"
#include "tests/gpu/device_buffer.hpp"

namespace wcodec {
namespace {

class GpuEncode : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = why_no_gpu(); !why.empty()) GTEST_SKIP() << "GPU tests need a GPU: " << why;
  }
};

EncodedTensor encode_on_cpu(const QuantizedTensor& tensor, const std::string& coder) {
  return encode_tensor(tensor, kUntiled, parse_mode_set({"none"}), parse_coder(coder));
}

void expect_equal(const EncodedTensor& cpu, const EncodedTensor& gpu, const std::string& what) {
  ASSERT_EQ(cpu.bytes.size(), gpu.bytes.size()) << what;
  const auto at = std::mismatch(cpu.bytes.begin(), cpu.bytes.end(), gpu.bytes.begin()).first - cpu.bytes.begin();
  ASSERT_EQ(static_cast<std::size_t>(at), cpu.bytes.size())
      << what << ": the first of " << cpu.bytes.size() << " bytes that differs";
  for (std::size_t i = 0; i < kLedgerEntries; ++i) {
    ASSERT_EQ(cpu.ledger.bytes[i], gpu.ledger.bytes[i]) << what << ": " << kLedgerColumns[i];
  }
}

void expect_same(const QuantizedTensor& tensor, const std::string& coder) {
  const std::string what = coder + ", " + std::to_string(tensor.rows) + " x " + std::to_string(tensor.cols) +
                           " words of " + std::to_string(tensor.format.bits) + " bits";
  expect_equal(encode_on_cpu(tensor, coder), encode_tensor_on_gpu(tensor, parse_coder(coder)), what);
}

QuantizedTensor bytes_tensor(DType dtype, i64 rows, i64 cols, u64 seed, u32 symbols, u32 centre) {
  QuantizedTensor out{rows, cols, word_format(info(dtype)), {}, {}};
  Philox random(seed, 3);
  for (u64 i = 0; i < out.weights(); ++i) out.words.push_back(static_cast<u8>(centre + random.below(symbols)));
  return out;
}

constexpr DType kTypes[] = {DType::uint8, DType::int8,  DType::int16,   DType::int32,   DType::int64,  DType::uint16,
                            DType::f16,   DType::bf16,  DType::f32,     DType::f64,     DType::int4,   DType::uint4,
                            DType::int6,  DType::uint5, DType::f8_e4m3, DType::f8_e5m2, DType::f8_e8m0};

TEST_F(GpuEncode, EveryTypeAndCoderAsOnTheCpu) {
  for (const DType dtype : kTypes) {
    SCOPED_TRACE(info(dtype).name);
    for (const char* coder :
         {"raw", "prefix", "prefix:low=0", "prefix:low=1", "prefix:low=2", "prefix:low=3", "prefix:low=4",
          "prefix:low=5", "prefix:low=6", "prefix:low=7", "rans:precision=8", "rans:precision=10", "rans:precision=12",
          "rans:precision=13", "rans", "rans:precision=15"}) {
      expect_same(sample_tensor(dtype, 61, 389, 1), coder);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_F(GpuEncode, EveryShapeAndChunk) {
  for (const DType dtype : {DType::int8, DType::bf16, DType::f8_e4m3, DType::f16}) {
    SCOPED_TRACE(info(dtype).name);
    for (const i64 weights :
         {1, 2, 3, 31, 64, 511, 512, 513, 2047, 2048, 2049, 2113, 4095, 4096, 4097, 40001, 300007}) {
      for (const char* coder : {"prefix:chunk=1024", "prefix:low=4,chunk=2048", "prefix:low=2,chunk=4096",
                                "prefix:low=3,chunk=4096", "prefix:low=0,chunk=8192", "rans:precision=12,chunk=1024",
                                "rans:precision=12,chunk=4096", "rans:precision=14,chunk=65536", "raw"}) {
        expect_same(sample_tensor(dtype, 1, weights, static_cast<u64>(weights)), coder);
        if (HasFatalFailure()) return;
      }
    }
    expect_same(sample_tensor(dtype, 0, 5, 1), "prefix");
    expect_same(sample_tensor(dtype, 3, 0, 1), "rans");
    expect_same(sample_tensor(dtype, 0, 5, 1), "raw");
  }
}

// More chunks than warps: places are found through many looks back, and scratch serves again and again.
TEST_F(GpuEncode, ManyChunks) {
  expect_same(sample_tensor(DType::int8, 4096, 4096, 5), "prefix:low=4,chunk=1024");
  expect_same(sample_tensor(DType::int8, 4096, 4093, 5), "prefix:low=4,chunk=16384");
  expect_same(sample_tensor(DType::int8, 4096, 1021, 6), "rans:precision=11,chunk=2048");
  expect_same(sample_tensor(DType::bf16, 4096, 2048, 7), "prefix:chunk=2048");
  expect_same(sample_tensor(DType::bf16, 4096, 2048, 7), "rans:precision=12,chunk=4096");
  expect_same(sample_tensor(DType::f8_e4m3, 4096, 2048, 8), "prefix");
  expect_same(sample_tensor(DType::int4, 4096, 4096, 8), "rans");
}

TEST_F(GpuEncode, NoiseWithEscapesInEveryRound) {
  QuantizedTensor tensor = sample_tensor(DType::int8, 64, 4096, 9);
  Philox random(9, 1);
  for (auto& word : tensor.words) {
    if (random.below(8) == 0) word = static_cast<u8>(random.below(256));
  }
  for (const char* coder :
       {"prefix:low=0,chunk=4096", "prefix:low=1", "prefix:low=2", "prefix:low=3", "prefix:low=4", "rans:precision=12"})
    expect_same(tensor, coder);
}

TEST_F(GpuEncode, SymbolsThatTheSampleHasNotSeen) {
  // Every sampled block is tame, one outlier lies between two of them.
  QuantizedTensor tensor = bytes_tensor(DType::int8, 512, 4096, 3, 9, 252);
  tensor.words[16 * 4096 + 5000] = 100;
  for (const char* coder : {"prefix:low=0", "prefix:low=2", "prefix:low=0,chunk=1024", "rans"}) {
    expect_same(tensor, coder);
  }
  // Constant but for one weight, where the sample is constant.
  QuantizedTensor constant{512, 4096, word_format(info(DType::int8)), std::vector<u8>(512 * 4096, 7), {}};
  for (const char* coder : {"prefix", "rans", "raw"}) {
    expect_same(constant, coder);
    QuantizedTensor almost = constant;
    almost.words[16 * 4096 + 5000] = 8;
    expect_same(almost, coder);
    almost.words.back() = 200;
    expect_same(almost, coder);
  }
}

TEST_F(GpuEncode, PlanesThatAreConstantOrStored) {
  for (const char* coder : {"prefix", "prefix:low=4", "rans", "rans:precision=12,chunk=1024"}) {
    for (const i64 weights : {1, 5, 2048, 100003}) {
      expect_same(bytes_tensor(DType::int8, 1, weights, 1, 1, 0), coder);     // zeros
      expect_same(bytes_tensor(DType::int8, 1, weights, 1, 1, 130), coder);   // another symbol
      expect_same(bytes_tensor(DType::int8, 1, weights, 2, 256, 0), coder);   // noise: longer coded than stored
      expect_same(bytes_tensor(DType::int8, 1, weights, 3, 2, 127), coder);   // two symbols, across the sign
      expect_same(bytes_tensor(DType::uint8, 1, weights, 4, 253, 0), coder);  // hardly worth coding
      expect_same(bytes_tensor(DType::uint4, 1, weights, 5, 16, 0), coder);   // packed
      if (HasFatalFailure()) return;
    }
  }
  // Both planes of bf16 coded: few mantissas. One of them constant.
  QuantizedTensor rounded = sample_tensor(DType::bf16, 128, 1024, 1);
  for (std::size_t i = 0; i < rounded.words.size(); i += 2) rounded.words[i] &= 0xf0;
  QuantizedTensor ones = rounded;
  for (std::size_t i = 0; i < ones.words.size(); i += 2) ones.words[i] = 0x80, ones.words[i + 1] = 0x3f;
  for (const char* coder : {"prefix", "prefix:low=2", "rans", "prefix:low=0,chunk=1024"}) {
    expect_same(rounded, coder);
    expect_same(ones, coder);
  }
}

// The steps by hand: in memory of exactly the sizes that the plan says, captured in a graph, more than once.
TEST_F(GpuEncode, CapturedAndRepeatedInMemoryOfThePlansSizes) {
  for (const DType dtype : {DType::int8, DType::bf16, DType::f16}) {
    for (const char* coder : {"prefix:chunk=2048", "rans:chunk=4096", "prefix", "raw"}) {
      const QuantizedTensor tensor = sample_tensor(dtype, 256, 1000, 4);
      const GpuEncodePlan plan =
          plan_gpu_encode(tensor.rows, tensor.cols, tensor.format, parse_coder(coder), gpu_encode_warps());
      const DeviceBuffer words{Bytes(tensor.words)}, image(plan.image_size), work(plan.work_size),
          output(plan.output_size);
      const GpuEncodeMemory memory{words.data(), image.data(), work.data(), output.data()};
      output.fill(0xa5);
      work.fill(0x5a);
      cudaStream_t stream;
      cuda_check(cudaStreamCreate(&stream));
      gpu_count(plan, memory, stream);
      const GpuEncodeCodes codes = choose_gpu_codes(plan, memory, stream);
      ASSERT_EQ(codes.image.size(), plan.image_size);
      cudaGraph_t graph;
      cudaGraphExec_t exec;
      cuda_check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
      gpu_encode(plan, codes, memory, stream);
      cuda_check(cudaStreamEndCapture(stream, &graph));
      cuda_check(cudaGraphInstantiate(&exec, graph, 0));
      for (int i = 0; i < 3; ++i) cuda_check(cudaGraphLaunch(exec, stream));
      expect_equal(encode_on_cpu(tensor, coder), finish_gpu_encode(plan, codes, memory, tensor.scales, stream), coder);
      cudaGraphExecDestroy(exec);
      cudaGraphDestroy(graph);
      cudaStreamDestroy(stream);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_F(GpuEncode, FewWarpsDoAsWell) {
  const QuantizedTensor tensor = sample_tensor(DType::int8, 300, 1000, 4);
  const EncodedTensor cpu = encode_on_cpu(tensor, "prefix:low=4,chunk=1024");
  for (const u32 warps : {1U, 7U, 8U, 133U, 1000U}) {
    const GpuEncodePlan plan =
        plan_gpu_encode(tensor.rows, tensor.cols, tensor.format, parse_coder("prefix:low=4,chunk=1024"), warps);
    const DeviceBuffer words{Bytes(tensor.words)}, image(plan.image_size), work(plan.work_size),
        output(plan.output_size);
    const GpuEncodeMemory memory{words.data(), image.data(), work.data(), output.data()};
    gpu_count(plan, memory, nullptr);
    const GpuEncodeCodes codes = choose_gpu_codes(plan, memory, nullptr);
    gpu_encode(plan, codes, memory, nullptr);
    expect_equal(cpu, finish_gpu_encode(plan, codes, memory, tensor.scales, nullptr), std::to_string(warps));
  }
}

}  // namespace
}  // namespace wcodec
