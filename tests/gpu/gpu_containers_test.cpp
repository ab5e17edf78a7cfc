// Containers, whole, on a real GPU: decoded to files, compared, loaded to its memory; goldens; what failures leave.
#include <cuda_runtime_api.h>
#include <gmock/gmock.h>

#include <filesystem>

#include "codec/device.hpp"
#include "codec/gpu_decode.hpp"
#include "codec/gpu_load.hpp"
#include "codec/record_decoder.hpp"
#include "tests/codec/container_testing.hpp"
#include "tests/golden/goldens.hpp"
#include "tests/gpu/device_buffer.hpp"

namespace wcodec {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class GpuContainers : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = why_no_gpu(); !why.empty()) GTEST_SKIP() << "GPU tests need a GPU: " << why;
    std::string pattern = (fs::temp_directory_path() / "wcodec-gpu-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  void TearDown() override {
    if (!folder_.empty()) fs::remove_all(folder_);
  }

  // Every type that safetensors has in odd shapes, and layers of many parts.
  std::string encode(const std::string& preset, u64 part_weights = 700) {
    const std::string source = folder_ + "/model.safetensors", out = folder_ + "/" + preset + ".wcodec";
    if (!fs::exists(source)) std::ofstream(source, std::ios::binary) << varied_safetensors();
    EncodeOptions options;
    options.preset = preset;
    options.part_weights = part_weights;
    options.overwrite = true;
    encode_checkpoint(source, out, options);
    return out;
  }

  // Loads all layers to the first `gpus` GPUs, and compares them with what the CPU reads.
  static GpuLoadStats load(const ContainerReader& reader, int gpus, u64 staging = u64{1} << 28) {
    const auto& tensors = reader.tensors();
    const std::vector<int> where = split_among_gpus(tensors, gpus);
    std::vector<DeviceBuffer> memory;
    std::vector<GpuTarget> targets;
    for (std::size_t t = 0; t < tensors.size(); ++t) {
      cuda_check(cudaSetDevice(where[t]));
      memory.emplace_back(tensors[t].memory_bytes());
      memory.back().fill(0xa5);
      cuda_check(cudaDeviceSynchronize());
      targets.push_back({t, where[t], memory.back().data(), tensors[t].memory_bytes()});
    }
    GpuLoadOptions options;
    options.staging_bytes = staging;
    const GpuLoadStats stats = load_to_gpu(reader, targets, options);
    for (std::size_t t = 0; t < tensors.size(); ++t) {
      cuda_check(cudaSetDevice(where[t]));
      EXPECT_EQ(memory[t].read(), reader.read(t)) << tensors[t].name;
    }
    cuda_check(cudaSetDevice(0));
    return stats;
  }

  std::string folder_;
};

TEST_F(GpuContainers, EveryPresetComesOutAsFromTheCpu) {
  for (const char* preset : {"speed", "balanced", "ratio"}) {
    SCOPED_TRACE(preset);
    const std::string path = encode(preset), back = folder_ + "/back.safetensors";
    DecodeOptions options;
    options.device = "cuda:0";
    options.overwrite = true;
    const CodecStats stats = decode_checkpoint(path, back, options);
    EXPECT_EQ(file_bytes(back), file_bytes(folder_ + "/model.safetensors"));
    EXPECT_EQ(stats.device, "cuda:0");
    EXPECT_GT(stats.gpu_records, 0u);
    VerifyOptions verify;
    verify.device = "auto";
    const VerifyReport report = verify_checkpoints(folder_ + "/model.safetensors", path, verify);
    EXPECT_TRUE(report.equal());
    EXPECT_GT(report.gpu_records, 0u);
    const auto reader = ContainerReader::open(path);
    EXPECT_GT(load(*reader, 1).gpu_records, 0u);
    load(*reader, 1, 1);  // two records in flight
  }
}

TEST_F(GpuContainers, SeveralGpusShareALoad) {
  std::string why;
  const int gpus = gpu_runtime().count(why);
  if (gpus < 2) GTEST_SKIP() << "this test needs a second GPU";
  const auto reader = ContainerReader::open(encode("speed"));
  load(*reader, gpus);
}

TEST_F(GpuContainers, DamageIsNamedAndMemoryComesBack) {
  const std::string path = encode("speed", 1 << 22);
  const auto measure = [] {
    std::size_t available = 0, total = 0;
    cuda_check(cudaDeviceSynchronize());
    cuda_check(cudaMemGetInfo(&available, &total));
    return available;
  };
  {
    const auto reader = ContainerReader::open(path);
    load(*reader, 1);  // what the runtime itself takes it keeps
  }
  const std::size_t before = measure();
  // A byte of some record: its checksum finds that.
  const std::string bytes = file_bytes(path);
  const u64 in_the_middle = bytes.size() * 2 / 5;
  std::string damaged = bytes;
  damaged[in_the_middle] = static_cast<char>(damaged[in_the_middle] ^ 0x10);
  const std::string bad = folder_ + "/bad.wcodec";
  std::ofstream(bad, std::ios::binary) << damaged;
  DecodeOptions options;
  options.device = "cuda:0";
  for (int i = 0; i < 3; ++i) {
    try {
      check_container(bad, options);
      FAIL() << "damage was accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::corrupt);
      EXPECT_THAT(error.what(), HasSubstr("layer '"));
    }
    EXPECT_ANY_THROW(load(*ContainerReader::open(bad), 1));
  }
  EXPECT_GE(measure() + (std::size_t{16} << 20), before);  // the runtime keeps a little of its own
}

TEST_F(GpuContainers, TooLittleMemoryLeavesRecordsToTheCpu) {
  const std::string path = encode("speed");
  const auto reader = ContainerReader::open(path);
  load(*reader, 1);
  // All but a few megabytes are taken: pieces of half of what is left.
  std::vector<DeviceBuffer> taken;
  for (std::size_t bytes = std::size_t{1} << 36; bytes >= std::size_t{1} << 16; bytes /= 2) {
    try {
      while (true) taken.emplace_back(bytes);
    } catch (const std::runtime_error&) {
      cudaGetLastError();
    }
  }
  DecodeOptions options;
  options.device = "cuda:0";
  options.threads = 2;
  const CodecStats stats = check_container(path, options);
  EXPECT_GT(stats.cpu_records, 0u);
  EXPECT_THAT(stats.note, HasSubstr("the CPU decoded some records"));
}

TEST_F(GpuContainers, GoldensDecodeToWhatTheyWereMadeOf) {
  const fs::path root = fs::path(WCODEC_SOURCE_DIR) / "tests" / "golden";
  int decoded = 0;
  for (const auto& version : fs::directory_iterator(root)) {
    if (!fs::exists(version.path() / "manifest.tsv")) continue;
    for (const golden::Entry& entry : golden::read_manifest((version.path() / "manifest.tsv").string())) {
      SCOPED_TRACE(entry.file);
      const std::string path = (version.path() / entry.file).string();
      if (golden::is_container_name(entry.file)) {
        DecodeOptions options;
        options.device = "cuda:0";
        options.overwrite = true;
        const std::string out = folder_ + "/" + entry.source;
        decode_checkpoint(path, out, options);
        EXPECT_EQ(sha256_file(out), entry.content);
        continue;
      }
      if (!golden::is_record_name(entry.file)) continue;
      const std::vector<u8> record = golden::read_bytes(path);
      const auto decoder = make_record_decoder({0, {}}, 1);
      const std::string hashed = folder_ + "/hashed";
      golden::write_bytes(hashed, golden::content_of(decoder->decode(record, kDefaultWeightLimit)));
      EXPECT_EQ(sha256_file(hashed), entry.content);
      decoded += static_cast<int>(decoder->counts().gpu_records);
    }
  }
  EXPECT_GT(decoded, 20);
}

}  // namespace
}  // namespace wcodec
