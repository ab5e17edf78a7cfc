// The GPU decodes what the CPU decodes, to the bit, and refuses what it refuses.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/philox.hpp"
#include "tests/codec/sample_tensor.hpp"
#include "tests/gpu/decode_on_gpu.hpp"

namespace wcodec {
namespace {

class GpuDecode : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = why_no_gpu(); !why.empty()) GTEST_SKIP() << "GPU tests need a GPU: " << why;
  }
};

EncodedTensor encode_plain(const QuantizedTensor& tensor, const std::string& coder) {
  return encode_tensor(tensor, kUntiled, parse_mode_set({"none"}), parse_coder(coder));
}

void expect_same(const QuantizedTensor& tensor, const std::string& coder) {
  const EncodedTensor encoded = encode_plain(tensor, coder);
  const GpuPlan plan = plan_gpu_decode(encoded.bytes);
  const std::vector<u8> words = decode_on_gpu(plan);
  ASSERT_EQ(words.size(), tensor.words.size());
  if (words == tensor.words) return;
  std::size_t at = 0, wrong = 0;
  for (std::size_t i = words.size(); i-- > 0;) {
    if (words[i] != tensor.words[i]) at = i, ++wrong;
  }
  FAIL() << coder << ", " << tensor.rows << " x " << tensor.cols << " words of " << tensor.format.bits
         << " bits: " << wrong << " bytes differ, the first at " << at;
}

constexpr DType kTypes[] = {DType::uint8, DType::int8,  DType::int16,   DType::int32,   DType::int64,  DType::uint16,
                            DType::f16,   DType::bf16,  DType::f32,     DType::f64,     DType::int4,   DType::uint4,
                            DType::int6,  DType::uint5, DType::f8_e4m3, DType::f8_e5m2, DType::f8_e8m0};

TEST_F(GpuDecode, EveryTypeAndCoderAsOnTheCpu) {
  for (const DType dtype : kTypes) {
    SCOPED_TRACE(info(dtype).name);
    for (const char* coder : {"raw", "prefix", "prefix:low=0", "prefix:low=1", "prefix:low=2", "prefix:low=3",
                              "prefix:low=4", "prefix:low=5", "rans:precision=8", "rans:precision=10",
                              "rans:precision=12", "rans:precision=13", "rans", "rans:precision=15"}) {
      expect_same(sample_tensor(dtype, 61, 389, 1), std::string(coder));
      if (HasFatalFailure()) return;
    }
  }
}

TEST_F(GpuDecode, EveryShapeAndChunk) {
  for (const DType dtype : {DType::int8, DType::bf16}) {
    for (const i64 weights :
         {1, 2, 3, 31, 64, 511, 512, 513, 2047, 2048, 2049, 2113, 4095, 4096, 4097, 40001, 300007}) {
      for (const char* coder : {"prefix:chunk=1024", "prefix:low=4,chunk=2048", "prefix:low=2,chunk=4096",
                                "prefix:low=3,chunk=4096", "prefix:low=0,chunk=8192", "rans:precision=12,chunk=1024",
                                "rans:precision=12,chunk=4096", "rans:precision=14,chunk=65536"}) {
        expect_same(sample_tensor(dtype, 1, weights, static_cast<u64>(weights)), coder);
        if (HasFatalFailure()) return;
      }
    }
    expect_same(sample_tensor(dtype, 0, 5, 1), "prefix");
  }
}

TEST_F(GpuDecode, ManyChunks) {
  expect_same(sample_tensor(DType::int8, 4096, 4096, 5), "prefix:low=4,chunk=4096");
  expect_same(sample_tensor(DType::int8, 4096, 1021, 6), "rans:precision=11,chunk=2048");
  expect_same(sample_tensor(DType::bf16, 4096, 2048, 7), "prefix:chunk=8192");
}

TEST_F(GpuDecode, NoiseWithEscapesInEveryRound) {
  // Encoded with the code of tame data: swap in symbols that it does not cover by a heavy tail.
  QuantizedTensor tensor = sample_tensor(DType::int8, 64, 4096, 9);
  Philox random(9, 1);
  for (auto& word : tensor.words) {
    if (random.below(8) == 0) word = static_cast<u8>(random.below(256));
  }
  for (const char* coder : {"prefix:low=0,chunk=4096", "prefix:low=2", "prefix:low=4", "rans:precision=12"}) {
    expect_same(tensor, coder);
  }
}

// What the CPU says of a record: the kind of its error, or its words.
struct Verdict {
  std::optional<ErrorKind> error;
  bool by_plan = false;  // found in headers, perhaps behind a stream that is damaged as well
  std::vector<u8> words;
};

TEST_F(GpuDecode, DamagedStreamsAreRefusedAsOnTheCpu) {
  const char* const cases = std::getenv("WCODEC_GPU_DAMAGED");
  const int count = cases != nullptr ? std::atoi(cases) : 2000;
  struct Sample {
    DType dtype;
    const char* coder;
  };
  const Sample samples[] = {{DType::int8, "prefix:low=4,chunk=2048"},      {DType::int8, "prefix:low=2,chunk=4096"},
                            {DType::int8, "prefix:low=3,chunk=1024"},      {DType::bf16, "prefix:chunk=2048"},
                            {DType::int8, "rans:precision=12,chunk=2048"}, {DType::f16, "rans:chunk=4096"},
                            {DType::bf16, "rans:precision=11,chunk=1024"}};
  int refused = 0, decoded = 0;
  for (std::size_t s = 0; s < std::size(samples); ++s) {
    const EncodedTensor encoded = encode_plain(sample_tensor(samples[s].dtype, 23, 389, s), samples[s].coder);
    Philox random(s, 77);
    for (int i = 0; i < count / static_cast<int>(std::size(samples)); ++i) {
      std::vector<u8> record = encoded.bytes;
      const u32 flips = 1 + random.below(3);
      for (u32 k = 0; k < flips; ++k)
        record[24 + random.below(static_cast<u32>(record.size() - 28))] ^= static_cast<u8>(1 + random.below(255));
      // A checksum that fits: damage must be found behind it.
      const u32 sum = crc32(Bytes(record).first(record.size() - 4));
      std::memcpy(record.data() + record.size() - 4, &sum, 4);
      Verdict cpu, gpu;
      try {
        cpu.words = decode_tensor(record, 1 << 20).words;
      } catch (const Error& error) {
        cpu.error = error.kind();
      }
      try {
        gpu.by_plan = true;
        const GpuPlan plan = plan_gpu_decode(record, 1 << 20);
        gpu.by_plan = false;
        gpu.words = decode_on_gpu(plan);
      } catch (const Error& error) {
        gpu.error = error.kind();
      }
      if (gpu.error == ErrorKind::unsupported) continue;
      ASSERT_EQ(cpu.error.has_value(), gpu.error.has_value()) << samples[s].coder << ", case " << i;
      if (cpu.error) {
        if (!gpu.by_plan) {
          ASSERT_EQ(*cpu.error, *gpu.error) << samples[s].coder << ", case " << i;
        }
        ++refused;
      } else {
        ASSERT_EQ(cpu.words, gpu.words) << samples[s].coder << ", case " << i;
        ++decoded;
      }
    }
  }
  EXPECT_GT(refused, count / 4);
  RecordProperty("refused", refused);
  RecordProperty("decoded", decoded);
}

}  // namespace
}  // namespace wcodec
