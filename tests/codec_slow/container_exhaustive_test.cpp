// What takes minutes: every bit of a container of 64 KiB, memory bounds on large checkpoints, kills at random moments.
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmath>
#include <csignal>
#include <functional>
#include <set>
#include <thread>

#include "codec/container_reader.hpp"
#include "tests/codec/container_testing.hpp"

namespace wcodec {
namespace {

// The exit status of `body` in a child with this much address space, or 128 + signal.
int in_child(u64 address_space, const std::function<void()>& body) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    const rlimit limit{address_space, address_space};
    if (::setrlimit(RLIMIT_AS, &limit) != 0) ::_exit(3);
#else
    static_cast<void>(address_space);
#endif
    // As `wcodec --memory` does: what is freed is no longer the process's.
    ::mallopt(M_MMAP_THRESHOLD, 1 << 18);
    ::mallopt(M_ARENA_MAX, 1);
    try {
      body();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "child: %s\n", error.what());
      ::_exit(1);
    }
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

TEST(ContainerExhaustive, EveryBitFlipAndTruncationOf64KiB) {
  const TestDirectory directory;
  std::vector<MadeTensor> tensors;
  for (u64 i = 0; i < 15; ++i) {
    tensors.push_back({fmt::format("layers.{}.bf16", i), "BF16", {40, 24}, weight_bytes(DType::bf16, 960, i)});
    tensors.push_back({fmt::format("layers.{}.int8", i), "I8", {50, 73}, weight_bytes(DType::int8, 3650, i)});
  }
  const std::string source = directory.write("model.safetensors", make_safetensors(tensors));
  EncodeOptions options;
  options.threads = 1;
  encode_checkpoint(source, directory.path("0"), options);
  const std::string good = file_bytes(directory.path("0"));
  ASSERT_GE(good.size(), 65536u);

  // Children and not threads: memory allocators of many threads would only wait for each other.
  const unsigned workers = std::max(1u, std::thread::hardware_concurrency());
  std::vector<pid_t> children;
  for (unsigned worker = 0; worker < workers; ++worker) {
    const std::string path = directory.write(fmt::format("{}", worker), good);
    children.push_back(::fork());
    if (children.back() != 0) continue;
    ::_exit(flips_accepted(path, worker, workers) == 0 && !::testing::Test::HasFailure() ? 0 : 1);
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0) << "a flip was accepted, or crashed the decoder";
  }

  const std::string path = directory.write("cut", good);
  DecodeOptions one;
  one.threads = 1;
  u64 accepted = 0;
  for (u64 size = good.size(); size-- > 0;) {
    std::filesystem::resize_file(path, size);
    try {
      check_container(path, one);
      ++accepted;
    } catch (const Error&) {
    }
  }
  EXPECT_EQ(accepted, 0u);
}

// A file of 600 MiB that takes hardly any disk, and weights in places.
std::string large_checkpoint(const TestDirectory& directory) {
  constexpr u64 kRows = 12000, kCols = 4096, kTensors = 3;  // 3 × 196 MB of F32
  std::string json = "{";
  for (u64 t = 0; t < kTensors; ++t) {
    json += fmt::format(R"({}"w{}":{{"dtype":"F32","shape":[{},{}],"data_offsets":[{},{}]}})", t == 0 ? "" : ",", t,
                        kRows, kCols, t * kRows * kCols * 4, (t + 1) * kRows * kCols * 4);
  }
  json += "}";
  const std::string path = directory.write("large.safetensors", safetensors_bytes(json));
  const u64 data = std::filesystem::file_size(path);
  std::filesystem::resize_file(path, data + kTensors * kRows * kCols * 4);
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  for (u64 i = 0; i < 40; ++i) {
    file.seekp(static_cast<std::streamoff>(data + i * 14'700'000));
    file << weight_bytes(DType::f32, 300'000, i);
  }
  return path;
}

TEST(ContainerMemory, StreamsWhatIsLargerThanItsMemory) {
  const TestDirectory directory;
  const std::string source = large_checkpoint(directory);
  // Less than half of it, and what a checkpoint of any size is given: what is in flight does not grow with it.
  constexpr u64 kLimit = u64{256} << 20;
  for (const unsigned threads : {1u, 4u}) {
    EncodeOptions encode;
    encode.threads = threads;
    encode.memory_bytes = u64{128} << 20;
    encode.overwrite = true;
    EXPECT_EQ(in_child(kLimit, [&] { encode_checkpoint(source, directory.path("large.wcodec"), encode); }), 0)
        << threads;
    DecodeOptions decode;
    decode.threads = threads;
    decode.memory_bytes = u64{128} << 20;
    decode.overwrite = true;
    EXPECT_EQ(
        in_child(kLimit, [&] { decode_checkpoint(directory.path("large.wcodec"), directory.path("back"), decode); }), 0)
        << threads;
    VerifyOptions verify;
    verify.threads = threads;
    verify.memory_bytes = u64{128} << 20;
    EXPECT_EQ(in_child(kLimit,
                       [&] {
                         if (!verify_checkpoints(source, directory.path("large.wcodec"), verify).equal()) ::_exit(7);
                       }),
              0)
        << threads;
  }
  EXPECT_LT(std::filesystem::file_size(directory.path("large.wcodec")), u64{100} << 20);
}

TEST(ContainerKilled, LeavesTheOldFileOrACompleteOne) {
  const TestDirectory directory;
  const std::string source = directory.write("model.safetensors", varied_safetensors());
  encode_checkpoint(source, directory.path("good.wcodec"));
  const std::string good = file_bytes(directory.path("good.wcodec"));
  Philox random(1, 2);
  int finished = 0;
  for (int round = 0; round < 200; ++round) {
    const bool existed = round % 2 == 0;
    const std::string target = directory.path("target.wcodec");
    std::filesystem::remove(target);
    if (existed) directory.write("target.wcodec", "old");
    const pid_t child = ::fork();
    if (child == 0) {
      EncodeOptions options;
      options.overwrite = true;
      options.threads = 2;
      options.part_weights = 512;
      encode_checkpoint(source, target, options);
      ::_exit(0);
    }
    ::usleep(random.below(400'000));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    finished += WIFEXITED(status) ? 1 : 0;
    if (!std::filesystem::exists(target)) {
      EXPECT_FALSE(existed);
      EXPECT_FALSE(WIFEXITED(status));
    } else if (file_bytes(target) != "old") {
      EXPECT_NO_THROW(check_container(target)) << round;
    } else {
      EXPECT_TRUE(existed);
    }
  }
  RecordProperty("finished", finished);
}

TEST(ContainerRoundTrip, TheLargerCheckpointsAtHand) {
  const char* folder = std::getenv("WCODEC_CHECKPOINTS");
  const std::filesystem::path root = folder == nullptr ? WCODEC_SOURCE_DIR "/../shared/checkpoints" : folder;
  std::error_code error;
  int found = 0;
  for (std::filesystem::recursive_directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
    const std::string path = it->path().string();
    if (!path.ends_with(".safetensors") || it->file_size() <= 16 << 20) continue;
    ++found;
    const TestDirectory directory;
    encode_checkpoint(path, directory.path("packed.wcodec"));
    decode_checkpoint(directory.path("packed.wcodec"), directory.path("back"));
    EXPECT_TRUE(file_bytes(directory.path("back")) == file_bytes(path)) << path;
  }
  if (found == 0) GTEST_SKIP() << "no checkpoints: set WCODEC_CHECKPOINTS to a folder of them";
}

}  // namespace
}  // namespace wcodec
