#include "core/plugin.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "baselines/registry.hpp"
#include "core/error.hpp"
#include "tests/baselines/inputs.hpp"

namespace wcodec {
namespace {

using test::gaussian_symbols;
using test::random_bytes;
using ::testing::HasSubstr;

PluginSet load(const std::string& path) { return load_plugins(std::vector<std::string>{path}); }
std::string example(const std::string& name) { return WCODEC_EXAMPLE_PLUGINS "/" + name + ".so"; }
std::string faulty(const std::string& name) { return WCODEC_TEST_PLUGINS "/" + name + ".so"; }

struct Refusal {
  ErrorKind kind;
  std::string message;
};
Refusal refusal(const std::string& path) {
  try {
    BaselineRegistry().add(load(path));
  } catch (const Error& error) {
    return {error.kind(), error.what()};
  }
  return {ErrorKind::internal, "accepted"};
}

TEST(Plugins, ExamplesOfferOneOfEach) {
  const PluginSet set = load_plugins(std::vector{example("linear"), example("rice"), example("runs")});
  ASSERT_EQ(set.plugins.size(), 3u);
  ASSERT_EQ(set.predictors.size(), 1u);
  ASSERT_EQ(set.coders.size(), 1u);
  ASSERT_EQ(set.baselines.size(), 1u);
  EXPECT_EQ(set.predictors[0].name(), "example-linear");
  EXPECT_EQ(set.coders[0].name(), "example-rice");
  EXPECT_EQ(set.baselines[0].name(), "example-runs");
}

TEST(Plugins, IdentityFollowsTheFile) {
  const PluginIdentity linear = load(example("linear")).plugins.at(0), again = load(example("linear")).plugins.at(0);
  EXPECT_EQ(linear.name, "linear");
  EXPECT_EQ(linear.version, "1.0");
  EXPECT_EQ(linear.file, "linear.so");
  EXPECT_EQ(linear.file_hash.size(), 32u);
  EXPECT_EQ(linear.text(), again.text());
  // The same code in another file with other bytes is another plug-in.
  const std::filesystem::path copy = std::filesystem::path(testing::TempDir()) / "linear-copy.so";
  std::filesystem::copy_file(example("linear"), copy, std::filesystem::copy_options::overwrite_existing);
  std::ofstream(copy, std::ios::app | std::ios::binary) << "tail";
  EXPECT_NE(load(copy.native()).plugins.at(0).file_hash, linear.file_hash);
  std::filesystem::remove(copy);
}

TEST(Plugins, AFileNamedTwiceIsLoadedOnce) {
  const std::string path = example("linear");
  EXPECT_EQ(
      load_plugins(std::vector{path, std::string(WCODEC_EXAMPLE_PLUGINS "/../plugins/linear.so")}).predictors.size(),
      1u);
}

void expect_inverse(const wcodec_plugin_predictor& predictor) {
  for (int bits : {1, 4, 8}) {
    for (int rows : {1, 2, 5, 16}) {
      for (int cols : {1, 2, 3, 17}) {
        const std::ptrdiff_t stride = cols + 3;
        const auto area = static_cast<std::size_t>(rows * cols), span = static_cast<std::size_t>(rows * stride);
        std::vector<u8> matrix = random_bytes(span, static_cast<u64>(area)), back = matrix, residual(area);
        for (u8& symbol : matrix) symbol = static_cast<u8>(symbol & ((1 << bits) - 1));
        const u8 zero = static_cast<u8>(1 << (bits - 1));
        predictor.residual(matrix.data(), rows, cols, stride, zero, bits, residual.data());
        for (const u8 e : residual) ASSERT_EQ(e >> bits, 0);
        const std::vector<u8> before = back;
        predictor.reconstruct(back.data(), rows, cols, stride, zero, bits, residual.data());
        for (std::size_t i = 0; i < span; ++i) {
          const bool inside = static_cast<std::ptrdiff_t>(i) % stride < cols;
          ASSERT_EQ(back[i], inside ? matrix[i] : before[i]);
        }
      }
    }
  }
}

TEST(Plugins, PredictorsInvertOnEveryShape) { expect_inverse(*load(example("linear")).predictors.at(0).row); }

TEST(Plugins, ThePageShowsAPredictorThatWorks) {
  const PluginSet set = load(WCODEC_TEST_PLUGINS "/documented.so");
  EXPECT_EQ(set.predictors.at(0).name(), "my-left");
  expect_inverse(*set.predictors.at(0).row);
}

TEST(Plugins, CodersInvertAndSurviveDamage) {
  const auto& coder = *load(example("rice")).coders.at(0).row;
  for (int bits : {1, 4, 8}) {
    for (std::size_t count : {0, 1, 7, 300, 5'000}) {
      std::vector<u8> symbols = gaussian_symbols(count, bits == 8 ? 6 : 1, count);
      for (u8& symbol : symbols) symbol = static_cast<u8>((symbol - 128) & ((1 << bits) - 1));
      std::vector<u8> out(coder.bound(count, bits)), back(count);
      const std::size_t size = coder.encode(symbols.data(), count, bits, out.data(), out.size());
      ASSERT_LE(size, out.size());
      std::vector<u8> coded(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size));
      ASSERT_EQ(coder.decode(coded.data(), coded.size(), bits, back.data(), count), 0);
      EXPECT_EQ(back, symbols);
      EXPECT_NE(coder.decode(coded.data(), coded.size() - 1, bits, back.data(), count), 0);
      for (std::size_t at = 0; at < std::min<std::size_t>(coded.size(), 200); ++at) {
        coded[at] ^= 0xff;
        coder.decode(coded.data(), coded.size(), bits, back.data(), count);
        coded[at] ^= 0xff;
      }
    }
  }
}

TEST(Plugins, BaselinesJoinTheRegistry) {
  PreparedBaseline baseline;
  {
    BaselineRegistry registry;
    registry.add(load(example("runs")));
    EXPECT_EQ(registry.rows().back()->name, "example-runs");
    EXPECT_EQ(registry.prepare("example-runs:level=2").spec, "example-runs:level=2");
    EXPECT_THROW(registry.prepare("example-runs:level=5"), Error);
    EXPECT_THROW(registry.add(load(example("runs"))), Error);
    baseline = registry.prepare("example-runs:level=03");
  }
  // Outlives its registry.
  EXPECT_EQ(baseline.spec, "example-runs:level=3");
  EXPECT_THAT(baseline.identity, HasSubstr("example-runs:level=3 (plug-in runs 1.0 "));
  for (std::size_t size : {0, 1, 2, 127, 128, 129, 130, 131, 1'000, 100'000}) {
    for (const std::vector<u8>& in :
         {gaussian_symbols(size, 0.4, size), gaussian_symbols(size, 30, size), std::vector<u8>(size, 9)}) {
      std::vector<u8> out(baseline.bound(size)), back(size);
      Failure why;
      const auto coded = baseline.compress(in, out, why);
      ASSERT_TRUE(coded.has_value()) << why.text();
      const std::vector<u8> exact(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(*coded));
      ASSERT_TRUE(baseline.decompress(exact, back, why)) << why.text();
      EXPECT_EQ(back, in);
      if (size > 0) {
        EXPECT_FALSE(baseline.decompress(exact, MutBytes(back).first(size - 1), why));
        std::vector<u8> small(*coded - 1);
        EXPECT_FALSE(baseline.compress(in, small, why).has_value());
      }
    }
  }
}

TEST(Plugins, WhatIsNotThere) {
  const Refusal missing = refusal("/nowhere/plugin.so");
  EXPECT_EQ(missing.kind, ErrorKind::not_found);
  EXPECT_THAT(missing.message, HasSubstr("plug-in /nowhere/plugin.so: No such file"));
  EXPECT_THAT(refusal(WCODEC_SOURCE_DIR "/LICENSE").message, HasSubstr("cannot be loaded"));
  EXPECT_EQ(refusal(WCODEC_SOURCE_DIR).kind, ErrorKind::io);  // a folder
}

TEST(Plugins, FaultsAreNamed) {
  EXPECT_EQ(refusal(faulty("nothing")).message, "accepted");
  EXPECT_EQ(refusal(faulty("wrong_abi")).kind, ErrorKind::unsupported);
  EXPECT_EQ(refusal(faulty("refuses")).kind, ErrorKind::unsupported);
  constexpr struct {
    const char *fault, *message;
  } kFaults[] = {{"wrong_abi", "was built for plug-in ABI 2, this is ABI 1"},
                 {"no_symbol", "exports no function wcodec_plugin_describe"},
                 {"refuses", "refuses this version"},
                 {"wrong_size", "baseline 0 says struct_size"},
                 {"no_name", "baseline 0 has no name"},
                 {"bad_name", "called 'none+left'"},
                 {"taken_name", "'zstd' has a name that is taken"},
                 {"no_function", "'faulty' lacks a function"},
                 {"no_version", "declares no version"},
                 {"twice", "'faulty' exists already, from plug-in twice.so"},
                 {"bad_levels", "levels 1 to 3 and the default 4"}};
  for (const auto& [fault, message] : kFaults) {
    EXPECT_THAT(refusal(faulty(fault)).message, HasSubstr(message)) << fault;
    EXPECT_THAT(refusal(faulty(fault)).message, HasSubstr(std::string("plug-in ") + fault + ".so")) << fault;
  }
}

TEST(Plugins, FailuresAtWorkAreReported) {
  for (const char* fault : {"nothing", "boasts"}) {
    BaselineRegistry registry;
    registry.add(load(faulty(fault)));
    const PreparedBaseline baseline = registry.prepare("faulty");
    std::vector<u8> out(10);
    Failure why;
    EXPECT_FALSE(baseline.compress(out, out, why).has_value());
    EXPECT_THAT(std::string(why.text()), HasSubstr("the plug-in"));
    EXPECT_FALSE(baseline.decompress(out, out, why));
  }
}

}  // namespace
}  // namespace wcodec
