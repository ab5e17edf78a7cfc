// Every allocation of an operation fails once: it ends in std::bad_alloc or Error, gives back all it took, and leaves
// no output behind. This program replaces operator new.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <new>

#include "codec/checkpoint_codec.hpp"
#include "codec/container_reader.hpp"
#include "codec/tensor_codec.hpp"
#include "core/sources/gguf.hpp"
#include "core/sources/safetensors.hpp"
#include "experiments/config.hpp"
#include "tests/codec/container_testing.hpp"
#include "tests/codec/sample_tensor.hpp"

namespace {

// Allocations until one fails; negative: none will.
std::atomic<long> left_until_failure{-1};
std::atomic<long> live{0};
std::atomic<bool> failed{false};

void* allocate(std::size_t size, std::size_t alignment) {
  if (left_until_failure.load() >= 0 && left_until_failure.fetch_sub(1) == 0) {
    failed = true;
    throw std::bad_alloc();
  }
  void* memory = alignment == 0 ? std::malloc(size == 0 ? 1 : size)
                                : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  ++live;
  return memory;
}

void release(void* memory) noexcept {
  if (memory == nullptr) return;
  --live;
  std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) { return allocate(size, 0); }
void* operator new[](std::size_t size) { return allocate(size, 0); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<std::size_t>(alignment));
}
// Not left to the sanitizers' own, whose memory `release` must not be given.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  try {
    return allocate(size, 0);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return operator new(size, std::nothrow); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { release(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { release(memory); }
void operator delete(void* memory) noexcept { release(memory); }
void operator delete[](void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }

namespace wcodec {
namespace {

enum class Outcome { finished, refused };

template <class Body>
Outcome attempt(long allocations, Body& body) {
  failed = false;
  left_until_failure = allocations;
  Outcome outcome = Outcome::refused;
  try {
    body();
    outcome = Outcome::finished;
  } catch (const std::bad_alloc&) {
  } catch (const Error&) {
  }
  left_until_failure = -1;
  return outcome;
}

// Runs `body` with its first allocation failing, then its second, until it finishes without having met the failure.
// `unharmed` is called after every failure.
template <class Body, class Unharmed>
void fail_each_allocation(Body body, Unharmed unharmed) {
  // What is made once a process or thread, scratch memory among it, is made now.
  ASSERT_EQ(attempt(-1, body), Outcome::finished);
  const long before = live;
  long count = 0;
  for (;; ++count) {
    const Outcome outcome = attempt(count, body);
    if (!failed) {
      ASSERT_EQ(outcome, Outcome::finished);
      break;
    }
    ASSERT_EQ(live, before) << "allocation " << count << " failed, and what came before it was not given back";
    if (outcome == Outcome::refused) unharmed();
    ASSERT_FALSE(::testing::Test::HasFailure()) << "allocation " << count;
  }
  EXPECT_GT(count, 0);
  ::testing::Test::RecordProperty("allocations", static_cast<int>(count));
}

template <class Body>
void fail_each_allocation(Body body) {
  fail_each_allocation(std::move(body), [] {});
}

constexpr const char* kCoders[] = {
    "raw", "rans:tables=tile", "rans:tables=row-col-scale,contexts=8", "rans:tables=best", "prefix", "zstd"};

TEST(FailingAllocations, EncodeTensor) {
  for (const DType dtype : {DType::int4, DType::bf16}) {
    const QuantizedTensor tensor = sample_tensor(dtype, 24, 40, 1);
    const auto modes = parse_mode_set({"none", "left", "row-mean", "ls"});
    for (const char* coder : kCoders) {
      const CoderChoice choice = parse_coder(coder);
      const std::vector<u8> expected = encode_tensor(tensor, {8, 8}, modes, choice, parse_transform_set("probe")).bytes;
      const TransformSet transforms = parse_transform_set("probe");
      fail_each_allocation([&] {
        ASSERT_TRUE(encode_tensor(tensor, {8, 8}, modes, choice, transforms).bytes == expected);
      });
    }
  }
}

TEST(FailingAllocations, DecodeTensor) {
  for (const DType dtype : {DType::int4, DType::bf16}) {
    const QuantizedTensor tensor = sample_tensor(dtype, 24, 40, 1);
    for (const char* coder : kCoders) {
      const std::vector<u8> record = encode_tensor(tensor, {8, 8}, parse_mode_set({"none", "left", "row-mean", "ls"}),
                                                   parse_coder(coder), parse_transform_set("probe"))
                                         .bytes;
      fail_each_allocation([&] { ASSERT_TRUE(decode_tensor(record).words == tensor.words); });
      std::vector<u8> words(tensor.words.size());
      fail_each_allocation([&] {
        decode_tensor_into(record, words);
        ASSERT_TRUE(words == tensor.words);
      });
    }
  }
}

std::string two_tensors() {
  return make_safetensors({{"a", "BF16", {20, 30}, weight_bytes(DType::bf16, 600, 1)},
                           {"b", "I8", {7, 9}, weight_bytes(DType::int8, 63, 2)}});
}

void read_all(const Checkpoint& checkpoint) {
  for (std::size_t i = 0; i < checkpoint.tensors().size(); ++i) checkpoint.read(i);
}

TEST(FailingAllocations, CheckpointReaders) {
  const TestDirectory directory;
  const std::string safetensors = directory.write("model.safetensors", two_tensors());
  fail_each_allocation([&] { read_all(SafetensorsCheckpoint({safetensors}, OpenOptions{})); });
  const std::string blocks = directory.write("model.gguf", gguf::Gguf()
                                                               .key("a", gguf::kString, gguf::text("value"))
                                                               .tensor("w", {256, 1}, gguf::kTypeQ6_K, 0)
                                                               .bytes(random_bytes(210, 1)));
  fail_each_allocation([&] { read_all(*open_gguf(blocks, OpenOptions{})); });
}

TEST(FailingAllocations, ExperimentFiles) {
  LoadOptions options;
  options.names = stage_names();
  options.environment = [](const std::string&) { return std::nullopt; };
  const std::string text =
      "experiment: small\n"
      "checkpoints: [{name: a, path: \"synthetic:gaussian:rows=8,cols=8\"}]\n"
      "axes: {quantizer: [int8], tile: [8x8, 16x16], modes: [[none], [none, left]], coder: [raw, rans]}\n";
  fail_each_allocation([&] { parse_config(text, "small.yaml", "/nonexistent", options); });
}

std::size_t files_in(const std::string& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

class FailingAllocationsOf : public ::testing::TestWithParam<unsigned> {};

TEST_P(FailingAllocationsOf, EncodeAndDecodeCheckpoint) {
  const TestDirectory directory;
  const std::string source = directory.write("in/model.safetensors", two_tensors());
  std::filesystem::create_directory(directory.path("out"));
  const std::string container = directory.path("out/model.wcodec"), back = directory.path("out/back");
  EncodeOptions encode;
  encode.threads = GetParam();
  encode.coder = "rans";
  encode.modes = {"none", "left"};
  encode.tile = "16x16";
  encode.part_weights = 400;
  encode.overwrite = true;
  const auto nothing_is_left = [&] {
    left_until_failure = -1;
    EXPECT_EQ(files_in(directory.path("out")), 0u);
  };
  const auto encode_it = [&] {
    encode_checkpoint(source, container, encode);
    ::unlink(container.c_str());
  };
  fail_each_allocation(encode_it, nothing_is_left);
  encode_checkpoint(source, directory.path("in/model.wcodec"), encode);
  DecodeOptions decode;
  decode.threads = GetParam();
  const auto decode_it = [&] {
    decode_checkpoint(directory.path("in/model.wcodec"), back, decode);
    ::unlink(back.c_str());
  };
  fail_each_allocation(decode_it, nothing_is_left);
}

INSTANTIATE_TEST_SUITE_P(Threads, FailingAllocationsOf, ::testing::Values(1u));

TEST(FailingAllocations, ReadContainer) {
  const TestDirectory directory;
  encode_checkpoint(directory.write("model.safetensors", two_tensors()), directory.path("model.wcodec"));
  const std::string path = directory.path("model.wcodec");
  fail_each_allocation([&] {
    const auto reader = ContainerReader::open(path);
    read_all(*reader);
    reader->metadata(0);
  });
}

}  // namespace
}  // namespace wcodec
