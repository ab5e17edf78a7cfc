// Eight threads at once over everything that says it may be used so; tools/long_tests.sh runs this under
// ThreadSanitizer.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "codec/checkpoint_codec.hpp"
#include "codec/container_reader.hpp"
#include "codec/tensor_codec.hpp"
#include "tests/codec/container_testing.hpp"
#include "tests/codec/sample_tensor.hpp"

namespace wcodec {
namespace {

constexpr unsigned kThreads = 8;

// Runs body(0) … body(7) on a thread each, as nearly at once as threads start.
template <class Body>
void at_once(Body body) {
  std::atomic<unsigned> waiting{kThreads};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (--waiting; waiting > 0;) std::this_thread::yield();
      body(t);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(EightThreads, EncodeAndDecodeTensors) {
  constexpr const char* kCoders[] = {"rans", "rans:tables=best", "rans:chunk=1024", "prefix"};
  std::vector<std::vector<u8>> records(std::size(kCoders) * kThreads);
  at_once([&](unsigned t) {
    for (std::size_t k = 0; k < std::size(kCoders); ++k) {
      const QuantizedTensor tensor = sample_tensor(k % 2 == 0 ? DType::int8 : DType::bf16, 64, 96, k);
      records[k * kThreads + t] =
          encode_tensor(tensor, {16, 16}, parse_mode_set({"none", "left", "row-mean", "ls"}), parse_coder(kCoders[k]))
              .bytes;
      EXPECT_EQ(decode_tensor(records[k * kThreads + t]).words, tensor.words);
    }
  });
  for (std::size_t i = 0; i < records.size(); ++i) EXPECT_EQ(records[i], records[i - i % kThreads]);
}

TEST(EightThreads, EncodeAndDecodeCheckpoints) {
  const TestDirectory directory;
  const std::string source = directory.write(
      "model.safetensors", make_safetensors({{"a", "BF16", {64, 96}, weight_bytes(DType::bf16, 6144, 1)},
                                             {"b", "F32", {33, 65}, weight_bytes(DType::f32, 2145, 2)},
                                             {"c", "I8", {128, 128}, weight_bytes(DType::int8, 16384, 3)}}));
  at_once([&](unsigned t) {
    const std::string own = std::to_string(t);
    EncodeOptions encode;
    encode.threads = 2;
    encode.part_weights = 1024;
    encode_checkpoint(source, directory.path(own + ".wcodec"), encode);
    DecodeOptions decode;
    decode.threads = 2;
    decode_checkpoint(directory.path(own + ".wcodec"), directory.path(own), decode);
  });
  for (unsigned t = 0; t < kThreads; ++t) {
    EXPECT_EQ(file_bytes(directory.path(std::to_string(t))), file_bytes(source));
    EXPECT_EQ(file_bytes(directory.path(std::to_string(t) + ".wcodec")), file_bytes(directory.path("0.wcodec")));
  }
}

TEST(EightThreads, ReadOneContainer) {
  const TestDirectory directory;
  const std::string source = directory.write("model.safetensors", varied_safetensors());
  EncodeOptions encode;
  encode.part_weights = 256;
  encode_checkpoint(source, directory.path("model.wcodec"), encode);
  const auto expected = open_checkpoint(source);
  const auto reader = ContainerReader::open(directory.path("model.wcodec"));
  ASSERT_EQ(reader->tensors().size(), expected->tensors().size());
  at_once([&](unsigned t) {
    for (std::size_t k = 0; k < reader->tensors().size(); ++k) {
      const std::size_t i = (k * (2 * t + 1)) % reader->tensors().size();  // in an order of its own
      EXPECT_EQ(reader->read(i), expected->read(i));
    }
  });
}

}  // namespace
}  // namespace wcodec
