// Commands that behave, and commands that do not.
#include <gmock/gmock.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "baselines/process.hpp"
#include "baselines/registry.hpp"
#include "core/error.hpp"
#include "tests/baselines/inputs.hpp"
#include "tests/baselines/open_files.hpp"

namespace wcodec {
namespace {

using test::gaussian_symbols;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

// What compressing `in` with `command` failed with; "" when it worked.
std::string failure_of(const std::string& command, Bytes in, const std::string& timeout = "20") {
  const PreparedBaseline baseline =
      BaselineRegistry().prepare("external:compress=" + command + ",decompress=cat,timeout=" + timeout);
  std::vector<u8> out(baseline.bound(in.size()));
  Failure why;
  const auto size = baseline.compress(in, out, why);
  EXPECT_EQ(size.has_value(), why.text().empty());
  return std::string(why.text());
}

bool present(const char* program) {
  std::vector<u8> out(1 << 16);
  try {
    run_filter({program, "--version"}, {}, out, 10s);
    return true;
  } catch (const Error&) {
    return false;
  }
}

TEST(External, LargeInputThroughAPipeInBothDirections) {
  const std::vector<u8> symbols = test::random_bytes(100'000'000, 1);
  std::vector<u8> out(symbols.size());
  EXPECT_EQ(run_filter({"cat"}, symbols, out, 60s), symbols.size());
  EXPECT_EQ(out, symbols);
}

// Our streams are the formats that the commands know, and theirs are read by us.
TEST(External, CommandsReadWhatOurLibrariesWrite) {
  const std::vector<u8> symbols = gaussian_symbols(300'000, 20, 2);
  constexpr struct {
    const char *spec, *program;
  } kPairs[] = {{"gzip", "gzip"}, {"libdeflate", "gzip"}, {"zstd", "zstd"}, {"bzip2", "bzip2"}, {"xz", "xz"}};
  for (const auto& [spec, program] : kPairs) {
    if (!present(program)) continue;
    const PreparedBaseline ours = BaselineRegistry().prepare(spec);
    std::vector<u8> coded(ours.bound(symbols.size())), out(symbols.size());
    Failure why;
    const auto size = ours.compress(symbols, coded, why);
    ASSERT_TRUE(size.has_value()) << why.text();
    const PreparedBaseline theirs =
        BaselineRegistry().prepare(std::string("external:compress=") + program + " -c,decompress=" + program + " -dc");
    ASSERT_TRUE(theirs.decompress(Bytes(coded).first(*size), out, why)) << spec << ": " << why.text();
    EXPECT_EQ(out, symbols);

    std::vector<u8> back(symbols.size());
    const auto their_size = theirs.compress(symbols, coded, why);
    ASSERT_TRUE(their_size.has_value()) << why.text();
    ASSERT_TRUE(theirs.decompress(Bytes(coded).first(*their_size), back, why)) << why.text();
    EXPECT_EQ(back, symbols);
  }
}

TEST(External, FailuresSayWhatHappened) {
  const std::vector<u8> symbols = gaussian_symbols(1'000, 20, 3);
  EXPECT_THAT(failure_of("false", symbols), HasSubstr("'false' exited with 1"));
  EXPECT_THAT(failure_of("wcodec-no-such-command", symbols), HasSubstr("could not be started: No such file"));
  EXPECT_THAT(failure_of("/", symbols), HasSubstr("could not be started"));
  EXPECT_THAT(failure_of("ls /wcodec/no/such/file", symbols), HasSubstr("No such file"));  // its standard error
}

TEST(External, ATimeoutKillsTheWholeGroup) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THAT(failure_of("sleep 60", {}, "0.2"), HasSubstr("did not finish within 200 ms"));
  // The shell's child holds the pipe open: killing the shell alone would wait for it.
  const std::vector<std::string> nested = {"sh", "-c", "sleep 60; true"};
  EXPECT_THROW(run_filter(nested, {}, {}, 200ms), Error);
  // Closes its outputs and stays.
  const std::vector<std::string> silent = {"sh", "-c", "exec >&- 2>&-; sleep 60"};
  EXPECT_THROW(run_filter(silent, {}, {}, 200ms), Error);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 20s);
}

TEST(External, ACommandMayStopReading) {
  const std::vector<u8> symbols = gaussian_symbols(5'000'000, 36, 4);
  std::vector<u8> out(100);
  EXPECT_EQ(run_filter({"head", "-c", "10"}, symbols, out, 20s), 10u);
  EXPECT_EQ(run_filter({"true"}, symbols, out, 20s), 0u);
  // Other threads of ours and the rest of this one keep their SIGPIPE as it was.
  sigset_t blocked;
  pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
  EXPECT_EQ(sigismember(&blocked, SIGPIPE), 0);
}

TEST(External, MoreOutputThanExpectedIsAFailure) {
  EXPECT_THAT(failure_of("yes", {}), HasSubstr("wrote more than the 65536 bytes expected"));
  std::vector<u8> out(9);
  EXPECT_THROW(run_filter({"echo", "123456789"}, {}, out, 20s), Error);  // the newline is the tenth
  EXPECT_EQ(run_filter({"printf", "123456789"}, {}, out, 20s), 9u);
}

TEST(External, MuchStandardErrorDoesNotBlock) {
  const std::vector<std::string> noisy = {"sh", "-c", "head -c 3000000 /dev/zero >&2; cat; exit 3"};
  std::vector<u8> out(1'000'000);
  try {
    run_filter(noisy, gaussian_symbols(1'000'000, 20, 5), out, 20s);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("exited with 3: \\x00"));
  }
}

TEST(External, SignalsAreReported) {
  const std::vector<std::string> suicidal = {"sh", "-c", "kill -9 $$"};
  try {
    run_filter(suicidal, {}, {}, 20s);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("died of signal 9"));
  }
}

TEST(External, LeaksNoDescriptors) {
  const int before = test::open_files();
  for (int i = 0; i < 20; ++i) {
    failure_of("false", gaussian_symbols(100'000, 20, 6));
    failure_of("wcodec-no-such-command", {});
    failure_of("sleep 5", {}, "0.01");
    failure_of("cat", gaussian_symbols(100'000, 20, 7));
  }
  EXPECT_EQ(test::open_files(), before);
}

TEST(External, ManyAtOnce) {
  std::vector<std::thread> threads;
  for (u64 seed = 0; seed < 8; ++seed) {
    threads.emplace_back([seed] {
      const std::vector<u8> symbols = gaussian_symbols(200'000, 20, seed);
      for (int i = 0; i < 5; ++i) {
        std::vector<u8> out(symbols.size());
        EXPECT_EQ(run_filter({"cat"}, symbols, out, 60s), symbols.size());
        EXPECT_EQ(out, symbols);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace wcodec
