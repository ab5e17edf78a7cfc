// Which goldens the GPU decodes is told by planning alone, without a GPU; tests/gpu decodes them.
#include <gtest/gtest.h>

#include <filesystem>

#include "codec/gpu_plan.hpp"
#include "tests/golden/goldens.hpp"

namespace wcodec::golden {
namespace {

enum class Where { gpu, cpu, either };

// Coders of the GPU decode there with every predictor, transform and type. rANS with several tables may do with one,
// and what several take the GPU may not have.
Where where(const std::string& coder) {
  const std::string name = coder.substr(0, coder.find(':'));
  if (name == "adaptive" || name == "zstd") return Where::cpu;
  const bool has_tables =
      coder.find("tables=") != std::string::npos && coder.find("tables=tensor") == std::string::npos;
  return name == "rans" && has_tables ? Where::either : Where::gpu;
}

TEST(GoldenOnGpu, WhatIsDecodedThereAndWhatIsRefused) {
  const std::filesystem::path folder = std::filesystem::path(WCODEC_SOURCE_DIR) / "tests" / "golden";
  int planned = 0, refused = 0;
  for (const auto& version : std::filesystem::directory_iterator(folder)) {
    if (!std::filesystem::exists(version.path() / "manifest.tsv")) continue;
    for (const Entry& entry : read_manifest((version.path() / "manifest.tsv").string())) {
      if (!is_record_name(entry.file)) continue;
      SCOPED_TRACE(entry.file + " " + entry.coder + " " + entry.modes + " " + entry.transform);
      const std::vector<u8> record = read_bytes((version.path() / entry.file).string());
      try {
        const GpuPlan plan = plan_gpu_decode(record);
        ++planned;
        EXPECT_NE(where(entry.coder), Where::cpu);
        const QuantizedTensor tensor = decode_tensor(record);
        EXPECT_EQ(plan.words_size(), tensor.words.size());
        EXPECT_EQ(plan.scales, tensor.scales);
        EXPECT_EQ(plan.format, tensor.format);
      } catch (const Error& error) {
        ++refused;
        EXPECT_EQ(error.kind(), ErrorKind::unsupported) << error.what();
        EXPECT_NE(where(entry.coder), Where::gpu) << error.what();
      }
    }
  }
  EXPECT_GE(planned, 50);
  EXPECT_GE(refused, 2);
}

}  // namespace
}  // namespace wcodec::golden
