// GPUs through libwcodec.so, as far as no GPU is needed: tests/python/test_gpu.py and examples/c/decode_on_gpu.c go on.
#include <gmock/gmock.h>

#include <cstring>
#include <vector>
#include <wcodec.hpp>

namespace {

using testing::HasSubstr;
using namespace wcodec::api;  // NOLINT(google-build-using-namespace)

std::vector<std::uint8_t> record_of(const char* coder) {
  std::vector<std::uint8_t> weights(64 * 48);
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<std::uint8_t>(i * i / 97 % 23);
  const Encoder encoder(Options().set("tile", "1x4096").set("modes", "none").set("coder", coder));
  const EncodedLayer layer = encoder.encode_layer(WCODEC_I8, 64, 48, weights);
  return {layer.record.data(), layer.record.data() + layer.record.size()};
}

// The error of a call that must fail.
template <class Call>
Error error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return Error({WCODEC_OK, "", "", "", -1});
}

TEST(Gpu, ThereAreSomeOrASentence) {
  const int count = gpu_count();
  EXPECT_EQ(count == 0, !gpu_reason().empty());
  for (int i = 0; i < count; ++i) EXPECT_STRNE(describe_gpu(i).name, "");
  const Error beyond = error_of([&] { describe_gpu(count); });
  EXPECT_EQ(beyond.status(), WCODEC_USAGE);
  EXPECT_THAT(beyond.what(), HasSubstr("there is no GPU"));
  EXPECT_EQ(error_of([] { describe_gpu(-1); }).status(), WCODEC_USAGE);
  wcodec_gpu_info without_size{};
  EXPECT_EQ(wcodec_gpu_describe(0, &without_size), WCODEC_USAGE);
  EXPECT_EQ(wcodec_gpu_describe(0, nullptr), WCODEC_USAGE);
}

TEST(Gpu, PlansAreMadeByTheCpu) {
  const std::vector<std::uint8_t> record = record_of("rans:precision=12");
  GpuPlan plan(record);
  EXPECT_EQ(plan.info().dtype, WCODEC_I8);
  EXPECT_EQ(plan.info().rows, 64u);
  EXPECT_EQ(plan.info().cols, 48u);
  EXPECT_EQ(plan.info().decoded_bytes, 64u * 48);
  EXPECT_EQ(plan.info().scratch_bytes, 0u);
  EXPECT_EQ(plan.image().size(), plan.info().image_bytes);
  EXPECT_GT(plan.image().size(), record.size());
  plan.drop_image();
  EXPECT_TRUE(plan.image().empty());
  EXPECT_THAT(error_of([&] { plan.upload(nullptr, nullptr); }).what(), HasSubstr("dropped"));
}

TEST(Gpu, PlansSayWhatIsWrongWithARecord) {
  EXPECT_EQ(error_of([] { GpuPlan plan(record_of("adaptive")); }).status(), WCODEC_UNSUPPORTED);
  std::vector<std::uint8_t> record = record_of("prefix");
  EXPECT_EQ(error_of([&] { GpuPlan plan(record, Options().set("max_weights", "100")); }).status(), WCODEC_LIMIT);
  record[record.size() / 2] ^= 1;
  EXPECT_EQ(error_of([&] { GpuPlan plan(record); }).status(), WCODEC_CORRUPT);
  EXPECT_EQ(error_of([&] { GpuPlan plan({record.data(), 3}); }).status(), WCODEC_TRUNCATED);
  wcodec_gpu_plan* made = nullptr;
  EXPECT_EQ(wcodec_gpu_plan_create(nullptr, 5, nullptr, &made), WCODEC_USAGE);
  EXPECT_EQ(wcodec_gpu_plan_create(record.data(), record.size(), nullptr, nullptr), WCODEC_USAGE);
  wcodec_gpu_plan_destroy(nullptr);
  EXPECT_EQ(wcodec_gpu_plan_image(nullptr), nullptr);
}

TEST(Gpu, PlacesAreChecked) {
  const GpuPlan plan(record_of("prefix"));
  alignas(16) std::uint8_t somewhere[32];
  std::uint64_t status = 0;
  EXPECT_THAT(error_of([&] { plan.decode(nullptr, somewhere, nullptr, &status, nullptr); }).what(), HasSubstr("image"));
  EXPECT_THAT(error_of([&] { plan.decode(somewhere, nullptr, nullptr, &status, nullptr); }).what(),
              HasSubstr("elements"));
  EXPECT_THAT(error_of([&] { plan.decode(somewhere, somewhere + 1, nullptr, &status, nullptr); }).what(),
              HasSubstr("multiple of 16"));
  EXPECT_THAT(error_of([&] { plan.decode(somewhere, somewhere, nullptr, nullptr, nullptr); }).what(),
              HasSubstr("status"));
}

TEST(Gpu, AStatusWordIsTheCpusStatus) {
  EXPECT_NO_THROW(GpuPlan::check_status(0));
  const Error error = error_of([] { GpuPlan::check_status(~std::uint64_t{7} << 8 | 3); });
  EXPECT_EQ(error.status(), WCODEC_CORRUPT);
  EXPECT_THAT(error.what(), HasSubstr("chunk 7"));
  EXPECT_EQ(error_of([] { GpuPlan::check_status(~std::uint64_t{0} << 8 | 1); }).status(), WCODEC_TRUNCATED);
  EXPECT_EQ(error_of([] { GpuPlan::check_status(~std::uint64_t{0} << 8 | 200); }).status(), WCODEC_INTERNAL);
}

TEST(Gpu, DevicesAreOptions) {
  EXPECT_EQ(error_of([] { Options().set("device", "gpu"); }).status(), WCODEC_USAGE);
  const Error error = error_of([] { Decoder decoder(Options().set("device", "cuda:99")); });
  EXPECT_EQ(error.status(), WCODEC_UNSUPPORTED);
  const std::vector<std::uint8_t> record = record_of("prefix");
  const DecodedLayer there = Decoder(Options().set("device", "auto")).decode_layer(record);
  const DecodedLayer here = Decoder().decode_layer(record);
  ASSERT_EQ(there.elements.size(), here.elements.size());
  EXPECT_EQ(std::memcmp(there.elements.data(), here.elements.data(), here.elements.size()), 0);
}

TEST(Gpu, WithoutOneLoadingSaysSo) {
  if (gpu_count() != 0) GTEST_SKIP() << "this test needs a machine without a GPU";
  const GpuPlan plan(record_of("prefix"));
  alignas(16) std::uint8_t somewhere[32];
  std::uint64_t status = 0;
  EXPECT_EQ(error_of([&] { plan.decode(somewhere, somewhere, nullptr, &status, nullptr); }).status(),
            WCODEC_UNSUPPORTED);
  EXPECT_EQ(error_of([&] { plan.upload(somewhere, nullptr); }).status(), WCODEC_UNSUPPORTED);
}

}  // namespace
