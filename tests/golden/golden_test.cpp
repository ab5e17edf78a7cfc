// Every golden of every version decodes to what it was made of. The current version's are also encoded again, to the
// same bytes: the encoder is deterministic, on every instruction set, and has not changed unnoticed.
#include <gtest/gtest.h>

#include <filesystem>

#include "entropy/lane_kernels.hpp"
#include "tests/core/checkpoint_files.hpp"
#include "tests/golden/goldens.hpp"

namespace wcodec::golden {
namespace {

const std::filesystem::path kFolder = std::filesystem::path(WCODEC_SOURCE_DIR) / "tests" / "golden";
constexpr const char* kCurrent = "v1";

std::vector<std::filesystem::path> versions() {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (std::filesystem::exists(entry.path() / "manifest.tsv")) found.push_back(entry.path());
  }
  return found;
}

std::string sha256_of(const TestDirectory& directory, Bytes bytes) {
  const std::string path = directory.path("hashed");
  write_bytes(path, bytes);
  return sha256_file(path);
}

void expect_record(const Entry& e, const std::string& path, bool current, const TestDirectory& directory) {
  const std::vector<u8> golden = read_bytes(path);
  EXPECT_EQ(sha256_of(directory, golden), e.coded);
  const QuantizedTensor tensor =
      is_progressive_name(e.file) ? decode_progressive(golden).tensor : decode_tensor(golden);
  EXPECT_EQ(sha256_of(directory, content_of(tensor)), e.content);
  if (current && is_written_alike(e)) {
    EXPECT_TRUE(encode_as(e, tensor) == golden) << "is encoded otherwise now";
  }
}

void expect_container(const Entry& e, const std::string& path, bool current, const TestDirectory& directory) {
  EXPECT_EQ(sha256_file(path), e.coded);
  const std::string source = directory.path(e.source), again = directory.path("again.wcodec");
  DecodeOptions options;
  options.overwrite = true;
  decode_checkpoint(path, source, options);
  EXPECT_EQ(sha256_file(source), e.content);
  if (current && is_written_alike(e)) {
    encode_as(e, source, again);
    EXPECT_TRUE(read_bytes(again) == read_bytes(path)) << "is encoded otherwise now";
  }
}

TEST(Golden, EveryVersionDecodesAndTheCurrentOneIsStillWritten) {
  ASSERT_TRUE(std::filesystem::exists(kFolder / kCurrent / "manifest.tsv"));
  const TestDirectory directory;
  for (const auto& version : versions()) {
    const bool current = version.filename() == kCurrent;
    const std::vector<Entry> entries = read_manifest((version / "manifest.tsv").string());
    EXPECT_GE(entries.size(), 100u) << version;
    for (const LaneKernels& kernels : all_lane_kernels()) {
      force_lane_kernels(kernels.name);
      for (const Entry& e : entries) {
        SCOPED_TRACE(version.filename().string() + "/" + e.file + " on " + std::string(kernels.name));
        const std::string path = (version / e.file).string();
        if (is_container_name(e.file)) {
          expect_container(e, path, current, directory);
        } else {
          expect_record(e, path, current, directory);
        }
      }
    }
    force_lane_kernels({});
  }
}

}  // namespace
}  // namespace wcodec::golden
