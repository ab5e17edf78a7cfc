// Outputs appear whole or not at all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>
#include <functional>

#include "codec/container_reader.hpp"
#include "core/output_file.hpp"
#include "tests/codec/container_testing.hpp"

namespace wcodec {
namespace {

using ::testing::HasSubstr;

class Output : public ::testing::Test {
 protected:
  Output() : source_(directory_.write("model.safetensors", varied_safetensors())) {}

  static Error error_of(const std::function<void()>& work) {
    try {
      work();
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "nothing was thrown";
    return {ErrorKind::internal, ""};
  }
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path(""))) {
      found.push_back(entry.path().filename().string());
    }
    std::sort(found.begin(), found.end());
    return found;
  }

  TestDirectory directory_;
  std::string source_;
};

TEST_F(Output, ExistingFilesAreKeptUnlessAskedFor) {
  const std::string target = directory_.write("m.wcodec", "old");
  EXPECT_EQ(error_of([&] { encode_checkpoint(source_, target); }).kind(), ErrorKind::usage);
  EXPECT_EQ(file_bytes(target), "old");
  EncodeOptions options;
  options.overwrite = true;
  encode_checkpoint(source_, target, options);
  EXPECT_NO_THROW(check_container(target));
  EXPECT_EQ(error_of([&] { decode_checkpoint(target, source_); }).kind(), ErrorKind::usage);
  EXPECT_EQ(error_of([&] { encode_checkpoint(source_, source_, options); }).kind(), ErrorKind::usage)
      << "the source itself";
  EXPECT_EQ(error_of([&] { encode_checkpoint(source_, directory_.path(""), options); }).kind(), ErrorKind::usage);
  EXPECT_EQ(error_of([&] { encode_checkpoint(source_, "/dev/null", options); }).kind(), ErrorKind::usage);
  EXPECT_EQ(names(), (std::vector<std::string>{"m.wcodec", "model.safetensors"}));
}

TEST_F(Output, ASymbolicLinkStaysOne) {
  directory_.write("real", "old");
  std::filesystem::create_symlink("real", directory_.path("link"));
  EncodeOptions options;
  options.overwrite = true;
  encode_checkpoint(source_, directory_.path("link"), options);
  EXPECT_TRUE(std::filesystem::is_symlink(directory_.path("link")));
  EXPECT_NO_THROW(check_container(directory_.path("real")));
}

TEST_F(Output, AMissingDirectoryIsNamed) {
  const Error error = error_of([&] { encode_checkpoint(source_, directory_.path("absent/m.wcodec")); });
  EXPECT_EQ(error.kind(), ErrorKind::io);
  EXPECT_THAT(error.what(), HasSubstr("absent/m.wcodec"));
}

TEST_F(Output, WhoeverAsksToStopGetsNothing) {
  for (const unsigned threads : {1u, 3u}) {
    for (const int calls : {1, 5, 40}) {
      int left = calls;
      EncodeOptions options;
      options.threads = threads;
      options.progress = [&](const CodecProgress& progress) {
        EXPECT_LE(progress.bytes_done, progress.bytes_total);
        return --left > 0;
      };
      EXPECT_EQ(error_of([&] { encode_checkpoint(source_, directory_.path("m.wcodec"), options); }).kind(),
                ErrorKind::cancelled);
    }
  }
  encode_checkpoint(source_, directory_.path("m.wcodec"));
  DecodeOptions options;
  options.progress = [](const CodecProgress&) { return false; };
  EXPECT_EQ(error_of([&] { decode_checkpoint(directory_.path("m.wcodec"), directory_.path("out"), options); }).kind(),
            ErrorKind::cancelled);
  EXPECT_EQ(names(), (std::vector<std::string>{"m.wcodec", "model.safetensors"}));
}

TEST_F(Output, ProgressReachesItsTotal) {
  u64 done = 0, total = 0;
  EncodeOptions encode;
  encode.progress = [&](const CodecProgress& p) { return done = p.bytes_done, total = p.bytes_total, true; };
  encode_checkpoint(source_, directory_.path("m.wcodec"), encode);
  EXPECT_EQ(done, total);
  EXPECT_EQ(total, std::filesystem::file_size(source_));
  done = total = 0;
  DecodeOptions decode;
  decode.progress = encode.progress;
  decode_checkpoint(directory_.path("m.wcodec"), directory_.path("out"), decode);
  EXPECT_EQ(done, total);
  EXPECT_EQ(total, std::filesystem::file_size(source_));
}

// Every limit on the size of files fails another write, as a full disk does.
TEST_F(Output, AWriteThatFailsLeavesNothing) {
  encode_checkpoint(source_, directory_.path("m.wcodec"));
  const auto failing = [&](rlim_t limit, const std::function<void()>& work) {
    std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
      std::signal(SIGXFSZ, SIG_IGN);
      const rlimit size{limit, limit};
      ::setrlimit(RLIMIT_FSIZE, &size);
      try {
        work();
      } catch (const Error& error) {
        ::_exit(error.kind() == ErrorKind::io ? 7 : 8);
      }
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  };
  const std::string old = directory_.write("target", "old");
  for (const rlim_t limit : {0u, 1u, 31u, 32u, 100u, 4096u, 20000u}) {
    EncodeOptions encode;
    encode.overwrite = true;
    EXPECT_EQ(failing(limit, [&] { encode_checkpoint(source_, old, encode); }), 7) << limit;
    EXPECT_EQ(failing(limit, [&] { encode_checkpoint(source_, directory_.path("new"), encode); }), 7) << limit;
    EXPECT_EQ(failing(limit, [&] { decode_checkpoint(directory_.path("m.wcodec"), directory_.path("new")); }), 7)
        << limit;
    EXPECT_EQ(names(), (std::vector<std::string>{"m.wcodec", "model.safetensors", "target"})) << limit;
    EXPECT_EQ(file_bytes(old), "old");
  }
}

TEST_F(Output, ADirectoryThatMayNotBeWritten) {
  std::filesystem::create_directory(directory_.path("locked"));
  std::filesystem::permissions(directory_.path("locked"), std::filesystem::perms(0555));
  if (::geteuid() == 0) {
    // Root may write anywhere; what refuses it too is a file system of the kernel's own.
    const Error error = error_of([&] { encode_checkpoint(source_, "/proc/self/m.wcodec"); });
    EXPECT_EQ(error.kind(), ErrorKind::io) << error.what();
    return;
  }
  EXPECT_EQ(error_of([&] { encode_checkpoint(source_, directory_.path("locked/m.wcodec")); }).kind(), ErrorKind::io);
}

TEST_F(Output, ASourceThatShrinksIsAnError) {
  EncodeOptions options;
  options.threads = 1;
  bool first = true;
  options.progress = [&](const CodecProgress&) {
    if (first) std::filesystem::resize_file(source_, std::filesystem::file_size(source_) / 2);
    first = false;
    return true;
  };
  const Error error = error_of([&] { encode_checkpoint(source_, directory_.path("m.wcodec"), options); });
  EXPECT_EQ(error.kind(), ErrorKind::truncated) << error.what();
  EXPECT_EQ(names(), (std::vector<std::string>{"model.safetensors"}));
}

TEST(OutputFile, TakesNoNameFromAnother) {
  const TestDirectory directory;
  OutputFile file(directory.path("x"), false);
  const std::string text = "mine";
  file.append(Bytes(reinterpret_cast<const u8*>(text.data()), text.size()));
  directory.write("x", "theirs");  // appears meanwhile
  EXPECT_THROW(file.commit(), Error);
  EXPECT_EQ(file_bytes(directory.path("x")), "theirs");
}

}  // namespace
}  // namespace wcodec
