// Every row of the registry on every kind of input: what goes in comes out, inside the buffers that were given.
#include <gmock/gmock.h>

#include <set>
#include <thread>

#include "baselines/registry.hpp"
#include "core/error.hpp"
#include "tests/baselines/inputs.hpp"

namespace wcodec {
namespace {

using test::gaussian_symbols;
using test::random_bytes;

// A new baseline gets its line here.
constexpr const char* kSpecs[] = {
    "memcpy",
    "gzip:level=1",
    "gzip",
    "gzip:level=9",
    "libdeflate:level=1",
    "libdeflate",
    "libdeflate:level=12",
    "zstd:level=1",
    "zstd",
    "zstd:level=19",
    "bzip2:level=1",
    "bzip2",
    "lz4",
    "lz4:level=3",
    "lz4:level=12",
    "xz:level=0",
    "xz",
    "brotli:level=0",
    "brotli:level=5",
    "brotli",
    "external:compress=cat,decompress=cat",
    "nvcomp",
    "nvcomp:algo=gdeflate,effort=0",
    "nvcomp:algo=zstd",
};

constexpr std::size_t kGuard = 64;
constexpr u8 kMark = 0xa5;

// An output of exactly `size` bytes with marks behind it, which a call must leave alone. The address sanitizer sees the
// end of the allocation; the marks show a near miss in every other build.
struct Guarded {
  explicit Guarded(std::size_t size_) : size(size_), bytes(size_ + kGuard, kMark) {}
  MutBytes out() { return MutBytes(bytes).first(size); }
  bool intact() const {
    return std::all_of(bytes.end() - kGuard, bytes.end(), [](u8 byte) { return byte == kMark; });
  }
  std::size_t size;
  std::vector<u8> bytes;
};

class RoundTrip : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (const std::string reason = why_unavailable(*baseline.row); !reason.empty())
      GTEST_SKIP() << "needs a GPU and nvCOMP: " << reason;
  }
  // Exact allocations, so that the sanitizer sees one byte too many.
  std::vector<u8> compress(Bytes in) {
    std::vector<u8> out(baseline.bound(in.size()));
    Failure why;
    const auto size = baseline.compress(in, out, why);
    EXPECT_TRUE(size.has_value()) << why.text();
    out.resize(size.value_or(0));
    return {out.begin(), out.end()};
  }
  void check(Bytes in) {
    const std::vector<u8> coded = compress(in);
    EXPECT_LE(coded.size(), baseline.bound(in.size()));
    std::vector<u8> out(in.size());
    Failure why;
    ASSERT_TRUE(baseline.decompress(coded, out, why)) << why.text() << ", " << in.size() << " bytes";
    ASSERT_TRUE(std::equal(in.begin(), in.end(), out.begin())) << in.size() << " bytes";
  }
  bool is(sv name) const { return baseline.row->name == name; }

  PreparedBaseline baseline = BaselineRegistry().prepare(GetParam());
};

TEST_P(RoundTrip, EveryShortLength) {
  const std::vector<u8> random = random_bytes(300, 1), symbols = gaussian_symbols(300, 12, 2);
  // A fresh xz state or process each time: fewer lengths say the same.
  const std::size_t step = is("xz") || is("external") || is("nvcomp") ? 13 : 1;
  for (std::size_t size = 0; size <= 300; size += size < 20 ? 1 : step) {
    check(Bytes(random).first(size));
    check(Bytes(symbols).first(size));
  }
}

TEST_P(RoundTrip, Megabyte) {
  constexpr std::size_t kSize = 1 << 20;
  check(random_bytes(kSize, 3));
  check(gaussian_symbols(kSize, 36, 4));
  check(std::vector<u8>(kSize, 0));
  check(std::vector<u8>(kSize - 1, 200));
}

TEST_P(RoundTrip, SizesAreDeterministic) {
  const std::vector<u8> symbols = gaussian_symbols(50'000, 20, 5);
  const std::vector<u8> first = compress(symbols);
  compress(random_bytes(70'000, 6));  // a reused context must have forgotten this
  EXPECT_EQ(compress(symbols), first);
  std::vector<u8> elsewhere;
  std::thread([&] { elsewhere = compress(symbols); }).join();
  EXPECT_EQ(elsewhere, first);
}

TEST_P(RoundTrip, ManyThreads) {
  std::vector<std::thread> threads;
  for (u64 seed = 0; seed < 4; ++seed) {
    threads.emplace_back([this, seed] {
      for (std::size_t size : {20'000, 3'000, 40'000}) check(gaussian_symbols(size, 10, seed));
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST_P(RoundTrip, SmallOutputIsRefusedOrRespected) {
  const std::vector<u8> symbols = gaussian_symbols(5'000, 30, 7);
  const std::size_t needed = compress(symbols).size();
  for (std::size_t size : {std::size_t{0}, std::size_t{1}, needed / 2, needed - 1}) {
    Guarded small(size);
    Failure why;
    const auto written = baseline.compress(symbols, small.out(), why);
    EXPECT_TRUE(small.intact());
    if (!written) {
      EXPECT_FALSE(why.text().empty());
    } else {  // some libraries then find a shorter way
      std::vector<u8> out(symbols.size());
      EXPECT_TRUE(baseline.decompress(small.out().first(*written), out, why));
      EXPECT_EQ(out, symbols);
    }
  }
}

TEST_P(RoundTrip, OtherSizesAreRefused) {
  for (std::size_t size : {0, 1, 5'000}) {
    const std::vector<u8> symbols = gaussian_symbols(size, 30, 8);
    const std::vector<u8> coded = compress(symbols);
    for (std::size_t claimed : {size + 1, size + 100, size - 1, size / 2}) {
      if (claimed == size || claimed > size + 100) continue;
      Guarded out(claimed);
      Failure why;
      EXPECT_FALSE(baseline.decompress(coded, out.out(), why)) << size << " as " << claimed;
      EXPECT_TRUE(out.intact());
      EXPECT_FALSE(why.text().empty());
    }
  }
}

TEST_P(RoundTrip, TruncatedAndTrailingBytesAreRefused) {
  const std::vector<u8> symbols = gaussian_symbols(2'000, 30, 9);
  const std::vector<u8> coded = compress(symbols);
  const std::size_t step = is("external") || is("nvcomp") ? 97 : 1;
  for (std::size_t size = 0; size < coded.size(); size += step) {
    Guarded out(symbols.size());
    Failure why;
    const std::vector<u8> cut(coded.begin(), coded.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(baseline.decompress(cut, out.out(), why)) << size;
    EXPECT_TRUE(out.intact());
  }
  for (const std::vector<u8>& tail : {std::vector<u8>{0}, std::vector<u8>(100, 0xff), random_bytes(50, 1), coded}) {
    std::vector<u8> longer = coded;
    longer.insert(longer.end(), tail.begin(), tail.end());
    Guarded out(symbols.size());
    Failure why;
    EXPECT_FALSE(baseline.decompress(longer, out.out(), why)) << tail.size();
    EXPECT_TRUE(out.intact());
  }
}

// Altered input may decode to other bytes where a format has no checksum; it never leaves the buffer or ends the
// process.
TEST_P(RoundTrip, AlteredBytesNeverEscape) {
  if (is("external") || is("nvcomp")) return;  // its decoder is a copy; its decoders trust their input
  const std::vector<u8> symbols = gaussian_symbols(3'000, 8, 10);
  const std::vector<u8> coded = compress(symbols);
  for (std::size_t at = 0; at < coded.size(); ++at) {
    for (const u8 flip : {u8{0x01}, u8{0x80}, u8{0xff}}) {
      std::vector<u8> altered = coded;
      altered[at] ^= flip;
      Guarded out(symbols.size());
      Failure why;
      const bool accepted = baseline.decompress(altered, out.out(), why);
      ASSERT_TRUE(out.intact()) << at;
      EXPECT_EQ(accepted, why.text().empty());
    }
  }
}

TEST_P(RoundTrip, NoiseNeverEscapes) {
  if (is("memcpy") || is("external") || is("nvcomp")) return;  // every input of the right size is valid, or trusted
  const std::vector<u8> head = compress(gaussian_symbols(1'000, 8, 11));
  for (u64 seed = 0; seed < 200; ++seed) {
    std::vector<u8> noise = random_bytes(1 + seed * 7, seed);
    if (seed % 2 == 0) std::copy_n(head.begin(), std::min<std::size_t>({18, head.size(), noise.size()}), noise.begin());
    Guarded out(1'000);
    Failure why;
    baseline.decompress(noise, out.out(), why);
    ASSERT_TRUE(out.intact());
  }
}

std::string test_name(const testing::TestParamInfo<const char*>& info) {
  std::string name;
  for (const char* c = info.param; *c != '\0'; ++c) name += std::isalnum(static_cast<unsigned char>(*c)) ? *c : '_';
  return name;
}

INSTANTIATE_TEST_SUITE_P(Baselines, RoundTrip, testing::ValuesIn(kSpecs), test_name);

TEST(RoundTripTable, CoversTheRegistry) {
  std::set<sv> tried;
  for (const char* spec : kSpecs) tried.insert(sv(spec).substr(0, sv(spec).find(':')));
  const BaselineRegistry registry;
  for (const Baseline* row : registry.rows()) {
    if (row->takes_arrays) continue;  // peers_test.cpp has them
    EXPECT_TRUE(tried.count(row->name) != 0) << row->name;
  }
}

// One matrix of a small language model, at a level of each library that a test can wait for.
TEST(RoundTripLarge, ElevenMegabytes) {
  const std::vector<u8> symbols = gaussian_symbols(11'000'000, 36, 12);
  for (const char* spec : {"memcpy", "gzip:level=1", "libdeflate:level=1", "zstd:level=1", "bzip2:level=9", "lz4",
                           "brotli:level=1", "external:compress=cat,decompress=cat"}) {
    const PreparedBaseline baseline = BaselineRegistry().prepare(spec);
    std::vector<u8> coded(baseline.bound(symbols.size())), out(symbols.size());
    Failure why;
    const auto size = baseline.compress(symbols, coded, why);
    ASSERT_TRUE(size.has_value()) << spec << ": " << why.text();
    ASSERT_TRUE(baseline.decompress(Bytes(coded).first(*size), out, why)) << spec << ": " << why.text();
    EXPECT_EQ(out, symbols) << spec;
  }
}

TEST(RoundTripLevels, AllOfThem) {
  const std::vector<u8> symbols = gaussian_symbols(4'000, 20, 13);
  constexpr struct {
    const char* name;
    int low, high;
  } kLevels[] = {{"gzip", 1, 9}, {"libdeflate", 1, 12}, {"zstd", 1, 22},  {"bzip2", 1, 9},
                 {"lz4", 3, 12}, {"xz", 0, 9},          {"brotli", 0, 11}};
  const BaselineRegistry registry;
  for (const auto& [name, low, high] : kLevels) {
    const std::string prefix = std::string(name) + ":level=";
    for (int level = low; level <= high; ++level) {
      const PreparedBaseline baseline = registry.prepare(prefix + std::to_string(level));
      std::vector<u8> coded(baseline.bound(symbols.size())), out(symbols.size());
      Failure why;
      const auto size = baseline.compress(symbols, coded, why);
      ASSERT_TRUE(size.has_value()) << baseline.spec << ": " << why.text();
      ASSERT_TRUE(baseline.decompress(Bytes(coded).first(*size), out, why)) << baseline.spec << ": " << why.text();
      EXPECT_EQ(out, symbols) << baseline.spec;
    }
    EXPECT_THROW(registry.prepare(prefix + std::to_string(high + 1)), Error);
    EXPECT_THROW(registry.prepare(prefix + "-1"), Error);
    EXPECT_THROW(registry.prepare(prefix + "fast"), Error);
  }
  EXPECT_THROW(registry.prepare("lz4:level=2"), Error);
}

}  // namespace
}  // namespace wcodec
