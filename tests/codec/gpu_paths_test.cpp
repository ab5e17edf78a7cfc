// The ways through a GPU that need none to be tested: which device is chosen, what the CPU takes over, how failures are
// named, and that everything is given back (tests/codec/fake_gpu.hpp; with a real GPU: tests/gpu).
#include <gmock/gmock.h>

#include <filesystem>

#include "codec/device.hpp"
#include "codec/gpu_load.hpp"
#include "codec/record_decoder.hpp"
#include "tests/codec/container_testing.hpp"
#include "tests/codec/fake_gpu.hpp"
#include "tests/codec/sample_tensor.hpp"

namespace wcodec {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

template <class Call>
Error error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return {ErrorKind::internal, ""};
}

class GpuPaths : public testing::Test {
 protected:
  GpuPaths() {
    FakeGpu::reset();
    std::string pattern = (fs::temp_directory_path() / "wcodec-gpu-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~GpuPaths() override {
    EXPECT_EQ(fake_.live, 0) << "the GPU has not got back what it lent";
    fs::remove_all(folder_);
  }

  // I8 and U8 layers decode on the fake GPU, F32 and BF16 ones (several planes) on the CPU.
  std::string container(const std::string& coder = "raw") {
    const std::string source = folder_ + "/model.safetensors", out = folder_ + "/model.wcodec";
    std::ofstream(source, std::ios::binary)
        << make_safetensors({{"first", "I8", {40, 33}, weight_bytes(DType::int8, 1320, 1)},
                             {"second", "F32", {10, 7}, weight_bytes(DType::f32, 70, 2)},
                             {"empty", "I8", {0, 5}, ""},
                             {"third", "U8", {64, 64}, random_bytes(4096, 3)},
                             {"fourth", "BF16", {30, 31}, weight_bytes(DType::bf16, 930, 4)}});
    EncodeOptions options;
    options.coder = coder;
    options.tile = "1x4096";
    options.modes = {"none"};
    options.part_weights = 330;
    encode_checkpoint(source, out, options);
    return out;
  }

  DecodeOptions on_fake(const std::string& device = "cuda:0") {
    DecodeOptions options;
    options.device = device;
    options.gpu = &FakeGpu::runtime();
    options.threads = 3;
    return options;
  }

  // What load_to_gpu leaves in the memory of GPUs, against what the reader says.
  GpuLoadStats load(const std::string& path, int gpus = 1, u64 staging = u64{1} << 28) {
    const auto reader = ContainerReader::open(path);
    const std::vector<int> where = split_among_gpus(reader->tensors(), gpus);
    std::vector<std::vector<u8>> memory;
    std::vector<GpuTarget> targets;
    for (std::size_t t = 0; t < reader->tensors().size(); ++t) {
      const u64 bytes = reader->tensors()[t].memory_bytes();
      auto& room = memory.emplace_back(bytes + 32, 0xa5);
      u8* const aligned = room.data() + (16 - reinterpret_cast<std::uintptr_t>(room.data()) % 16) % 16;
      targets.push_back({t, where[t], aligned, bytes});
    }
    GpuLoadOptions options;
    options.threads = 3;
    options.staging_bytes = staging;
    options.gpu = &FakeGpu::runtime();
    const GpuLoadStats stats = load_to_gpu(*reader, targets, options);
    for (std::size_t t = 0; t < targets.size(); ++t) {
      const auto* const at = static_cast<const u8*>(targets[t].memory);
      EXPECT_EQ(std::vector<u8>(at, at + targets[t].bytes), reader->read(t)) << reader->tensors()[t].name;
      EXPECT_EQ(at[targets[t].bytes], 0xa5);
    }
    return stats;
  }

  FakeGpu& fake_ = FakeGpu::get();
  std::string folder_;
};

TEST_F(GpuPaths, DevicesAreChosen) {
  const GpuRuntime& runtime = FakeGpu::runtime();
  fake_.gpus = 2;
  EXPECT_EQ(choose_device("cpu", runtime).name(), "cpu");
  EXPECT_EQ(choose_device("auto", runtime).name(), "cuda:0");
  EXPECT_EQ(choose_device("cuda", runtime).name(), "cuda:0");
  EXPECT_EQ(choose_device("cuda:1", runtime).name(), "cuda:1");
  for (const char* text : {"", "gpu", "cuda:", "cuda:-1", "cuda:1x", "CUDA:0", "cuda:99999999999"}) {
    EXPECT_EQ(error_of([&] { choose_device(text, runtime); }).kind(), ErrorKind::usage) << text;
  }
  const Error beyond = error_of([&] { choose_device("cuda:2", runtime); });
  EXPECT_EQ(beyond.kind(), ErrorKind::unsupported);
  EXPECT_THAT(beyond.what(), AllOf(HasSubstr("cuda:2"), HasSubstr("there are 2 GPUs"), HasSubstr("'auto'")));
}

TEST_F(GpuPaths, WhereThereIsNoneAutoSaysWhyAndTheCpuDecodes) {
  const std::string path = container();
  fake_.gpus = 0;
  const CodecStats stats = check_container(path, on_fake("auto"));
  EXPECT_EQ(stats.device, "cpu");
  EXPECT_EQ(stats.gpu_records, 0u);
  EXPECT_GT(stats.cpu_records, 0u);
  EXPECT_THAT(stats.note, HasSubstr("no NVIDIA driver is loaded"));
  const Error refused = error_of([&] { check_container(path, on_fake("cuda:0")); });
  EXPECT_EQ(refused.kind(), ErrorKind::unsupported);
  EXPECT_THAT(refused.what(), HasSubstr("no NVIDIA driver is loaded"));
}

TEST_F(GpuPaths, AGpuThatTheKernelsDoNotRunOnIsLeftAlone) {
  fake_.why_not = "this build has no kernels for compute capability 7.5";
  const Device device = choose_device("auto", FakeGpu::runtime());
  EXPECT_EQ(device.name(), "cpu");
  EXPECT_THAT(device.note, HasSubstr("7.5"));
  EXPECT_THAT(error_of([&] { choose_device("cuda:0", FakeGpu::runtime()); }).what(), HasSubstr("7.5"));
}

TEST_F(GpuPaths, FilesComeOutAsFromTheCpu) {
  const std::string path = container(), out = folder_ + "/back.safetensors";
  const CodecStats stats = decode_checkpoint(path, out, on_fake());
  EXPECT_EQ(file_bytes(out), file_bytes(folder_ + "/model.safetensors"));
  EXPECT_EQ(stats.device, "cuda:0");
  EXPECT_EQ(stats.gpu_records, fake_.decoded);
  EXPECT_GT(stats.gpu_records, 10u);
  EXPECT_GT(stats.cpu_records, 0u);  // layers of several planes
  EXPECT_EQ(stats.gpu_records + stats.cpu_records, stats.parts);
  EXPECT_THAT(stats.note, HasSubstr("words of one plane"));
}

TEST_F(GpuPaths, WhatTheGpuHasNoDecoderForGoesToTheCpu) {
  const CodecStats stats = check_container(container("adaptive"), on_fake());
  EXPECT_EQ(stats.gpu_records, 0u);
  EXPECT_EQ(stats.cpu_records, stats.parts);
  EXPECT_THAT(stats.note, HasSubstr("no GPU decoder"));
}

TEST_F(GpuPaths, ComparingDecodesOnTheGpuToo) {
  const std::string path = container();
  VerifyOptions options;
  options.device = "cuda:0";
  options.gpu = &FakeGpu::runtime();
  options.threads = 2;
  const VerifyReport report = verify_checkpoints(folder_ + "/model.safetensors", path, options);
  EXPECT_TRUE(report.equal());
  EXPECT_EQ(report.device, "cuda:0");
  EXPECT_GT(report.gpu_records, 0u);
}

TEST_F(GpuPaths, ModelsAreLoaded) {
  const std::string path = container();
  const GpuLoadStats stats = load(path);
  EXPECT_EQ(stats.tensors, 5u);
  EXPECT_EQ(stats.gpu_records, fake_.decoded);
  EXPECT_GT(stats.cpu_records, 0u);
  EXPECT_EQ(stats.decoded_bytes, 1320u + 280 + 4096 + 1860);
  EXPECT_FALSE(stats.note.empty());
  load(path, 1, 0);  // two slots
}

TEST_F(GpuPaths, SeveralGpusShareByRanges) {
  fake_.gpus = 3;
  load(container(), 3);
  EXPECT_GT(fake_.on_gpu[0], 0u);
  EXPECT_GT(fake_.on_gpu[1] + fake_.on_gpu[2], 0u);
  std::vector<TensorInfo> tensors(7);
  for (TensorInfo& tensor : tensors) tensor.rows = 10, tensor.cols = 10;
  EXPECT_EQ(split_among_gpus(tensors, 2), (std::vector<int>{0, 0, 0, 1, 1, 1, 1}));
  EXPECT_EQ(split_among_gpus(tensors, 1), std::vector<int>(7, 0));
  tensors[0].rows = 1000;
  EXPECT_EQ(split_among_gpus(tensors, 2), (std::vector<int>{0, 1, 1, 1, 1, 1, 1}));
  EXPECT_EQ(error_of([&] { split_among_gpus(tensors, 0); }).kind(), ErrorKind::usage);
}

TEST_F(GpuPaths, MemoryThatRunsOutMidwayCostsNothingButTime) {
  const std::string path = container();
  // The first allocation is the status words, without which nothing can be loaded.
  for (int allowed = 1; allowed < 14; ++allowed) {
    fake_.allocations = allowed;
    const GpuLoadStats stats = load(path);
    EXPECT_THAT(stats.note, HasSubstr("the CPU decoded some records"));
    fake_.allocations = allowed;
    check_container(path, on_fake());
    EXPECT_EQ(fake_.live, 0) << allowed;
  }
  fake_.allocations = -1;
  for (std::atomic<int>* what : {&fake_.host_allocations, &fake_.queues}) {
    for (int allowed = 1; allowed < 6; ++allowed) {
      *what = allowed;
      const auto attempt = [&] {
        try {
          load(path);
        } catch (const Error& error) {
          EXPECT_EQ(error.kind(), ErrorKind::limit) << error.what();
        }
      };
      attempt();
      EXPECT_EQ(fake_.live, 0) << allowed;
    }
    *what = -1;
  }
}

TEST_F(GpuPaths, AFaultNamesTheLayerAndGivesEverythingBack) {
  const std::string path = container();
  struct Fault {
    std::atomic<int>* what;
    const char* says;
  };
  for (const Fault& fault :
       {Fault{&fake_.launches, "unspecified launch failure"}, Fault{&fake_.copies, "unspecified launch failure"}}) {
    for (int allowed = 0; allowed < 5; ++allowed) {
      for (const bool to_file : {false, true}) {
        *fault.what = allowed;
        const Error error = error_of(
            [&] { to_file ? static_cast<void>(check_container(path, on_fake())) : static_cast<void>(load(path)); });
        EXPECT_EQ(error.kind(), ErrorKind::internal);
        EXPECT_THAT(error.what(), AllOf(HasSubstr(path), HasSubstr("layer '"), HasSubstr(fault.says)));
        EXPECT_FALSE(error.place().layer.empty());
        EXPECT_EQ(fake_.live, 0);
      }
    }
    *fault.what = -1;
  }
  // The first two waits are for the status words and for a slot that is used again or settled at the end.
  fake_.waits = 1;
  const Error error = error_of([&] { load(path); });
  EXPECT_THAT(error.what(), AllOf(HasSubstr("layer '"), HasSubstr("cuda:0 failed while it was decoded"),
                                  HasSubstr("illegal memory access")));
}

TEST_F(GpuPaths, DamageThatTheGpuReportsIsTheCpusError) {
  const std::string path = container();
  fake_.status = gpu_status(GpuFault::bad_end, 3, 0);
  for (const bool to_file : {false, true}) {
    const Error error = error_of(
        [&] { to_file ? static_cast<void>(check_container(path, on_fake())) : static_cast<void>(load(path)); });
    EXPECT_EQ(error.kind(), ErrorKind::corrupt);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("layer 'first', part 0"), HasSubstr("chunk 3")));
  }
}

TEST_F(GpuPaths, TargetsAreChecked) {
  const auto reader = ContainerReader::open(container());
  std::vector<u8> room(2000);
  u8* const aligned = room.data() + (16 - reinterpret_cast<std::uintptr_t>(room.data()) % 16) % 16;
  GpuLoadOptions options;
  options.gpu = &FakeGpu::runtime();
  const std::vector<GpuTarget> wrong_size = {{0, 0, aligned, 1319}}, crooked = {{0, 0, aligned + 1, 1320}},
                               absent = {{0, 0, nullptr, 1320}};
  for (const auto* targets : {&wrong_size, &crooked, &absent}) {
    const Error error = error_of([&] { load_to_gpu(*reader, *targets, options); });
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_THAT(error.what(), HasSubstr("'first'"));
  }
  options.progress = [](const CodecProgress&) { return false; };
  const std::vector<GpuTarget> right = {{0, 0, aligned, 1320}};
  EXPECT_EQ(error_of([&] { load_to_gpu(*reader, right, options); }).kind(), ErrorKind::cancelled);
}

TEST_F(GpuPaths, RecordsDecodeByThemselves) {
  const auto decoder = make_record_decoder({0, {}}, 2, FakeGpu::runtime());
  const QuantizedTensor tensor = sample_tensor(DType::int8, 31, 33, 1);
  const EncodedTensor record = encode_tensor(tensor, kUntiled, parse_mode_set({"none"}), parse_coder("raw"));
  EXPECT_EQ(decoder->decode(record.bytes, 1 << 20).words, tensor.words);
  EXPECT_EQ(decoder->decode(record.bytes, 1 << 20).scales, tensor.scales);
  std::vector<u8> words(tensor.words.size());
  EXPECT_EQ(decoder->decode_into(record.bytes, words).scales, tensor.scales);
  EXPECT_EQ(words, tensor.words);
  words.resize(words.size() - 1);
  EXPECT_ANY_THROW(decoder->decode_into(record.bytes, words));
  EXPECT_EQ(error_of([&] { decoder->decode(record.bytes, 100); }).kind(), ErrorKind::limit);
  std::vector<u8> damaged = record.bytes;
  damaged[60] ^= 1;
  EXPECT_EQ(error_of([&] { decoder->decode(damaged, 1 << 20); }).kind(), ErrorKind::corrupt);
  EXPECT_EQ(decoder->counts().gpu_records, 3u);
}

}  // namespace
}  // namespace wcodec
