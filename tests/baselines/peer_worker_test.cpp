// Workers that behave, and workers that do not (fake_peer.py).
#include "baselines/peer_worker.hpp"

#include <gmock/gmock.h>

#include <cerrno>
#include <csignal>
#include <thread>

#include "core/error.hpp"
#include "tests/baselines/inputs.hpp"
#include "tests/baselines/open_files.hpp"

namespace wcodec {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

std::vector<std::string> command(const char* how) {
  return {"python3", "-S", WCODEC_SOURCE_DIR "/tests/baselines/fake_peer.py", how};
}

struct Outcome {
  std::string text;  // the answer's body
  double seconds = 0;
  std::string failure;  // empty when there was an answer
  ErrorKind kind = ErrorKind::internal;
};

Outcome ask(PeerWorker& worker, Bytes body = {}, std::chrono::milliseconds timeout = 30s, const char* head = "do") {
  std::vector<u8> out(64);
  Outcome outcome;
  try {
    const PeerWorker::Answer answer = worker.call(head, body, out, timeout);
    outcome.text.assign(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(answer.size));
    outcome.seconds = answer.seconds;
  } catch (const Error& error) {
    outcome.failure = error.what();
    outcome.kind = error.kind();
  }
  return outcome;
}

TEST(PeerWorker, AnswersCarryBytesAndTheWorkersOwnSeconds) {
  PeerWorker worker(command("echo"));
  const std::vector<u8> body = {'a', 0, 'b'};
  const Outcome outcome = ask(worker, body);
  EXPECT_EQ(outcome.failure, "");
  EXPECT_EQ(outcome.text, std::string("a\0b", 3));
  EXPECT_EQ(outcome.seconds, 0.25);
}

TEST(PeerWorker, OneProcessAnswersManyCalls) {
  PeerWorker worker(command("count"));
  for (const char* count : {"1", "2", "3"}) EXPECT_EQ(ask(worker).text, count);
}

TEST(PeerWorker, TheHeadArrivesAsItIs) {
  PeerWorker worker(command("head"));
  EXPECT_EQ(ask(worker, {}, 30s, "compress BF16 3 4 level=12").text, "compress BF16 3 4 level=12");
}

TEST(PeerWorker, BodiesLargerThanAPipe) {
  const std::vector<u8> body = test::random_bytes(20'000'000, 1);
  for (const char* how : {"echo", "noisy"}) {
    PeerWorker worker(command(how));
    std::vector<u8> out(body.size());
    EXPECT_EQ(worker.call("do", body, out, 60s).size, body.size()) << how;
    EXPECT_EQ(out, body) << how;
  }
}

TEST(PeerWorker, AFailureItReportsLeavesItRunning) {
  PeerWorker worker(command("fails"));
  const Outcome first = ask(worker);
  EXPECT_EQ(first.failure, "TypeError: not this one");
  EXPECT_EQ(first.kind, ErrorKind::unsupported);
  EXPECT_EQ(ask(worker).text, "2");
}

struct Misdeed {
  const char* how;
  const char* says;
  ErrorKind kind;
};

class Misbehaviour : public testing::TestWithParam<Misdeed> {};

TEST_P(Misbehaviour, IsAFailureOfOneCall) {
  PeerWorker worker(command(GetParam().how));
  for (int call = 0; call < 2; ++call) {  // the second meets a new process that does the same
    const Outcome outcome = ask(worker);
    EXPECT_THAT(outcome.failure, HasSubstr(GetParam().says));
    EXPECT_EQ(outcome.kind, GetParam().kind);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Peers, Misbehaviour,
    testing::Values(Misdeed{"crashes", "died of signal 11: last words", ErrorKind::io},
                    Misdeed{"leaves", "exited with 7", ErrorKind::io}, Misdeed{"half", "exited with 0", ErrorKind::io},
                    Misdeed{"stillborn", "exited with 3: ImportError: gone", ErrorKind::io},
                    Misdeed{"unwilling", "cannot be imported: no such thing", ErrorKind::unsupported},
                    Misdeed{"boasts", "where at most 64 were expected", ErrorKind::limit},
                    Misdeed{"rambles", "where at most 4096 were expected", ErrorKind::limit},
                    Misdeed{"garbage", "no known kind", ErrorKind::corrupt},
                    Misdeed{"timeless", "a time that is none", ErrorKind::corrupt},
                    Misdeed{"backwards", "a time that is none", ErrorKind::corrupt}),
    [](const auto& test) { return std::string(test.param.how); });

TEST(PeerWorker, AnAnswerTooManyIsNotTakenForTheNext) {
  PeerWorker worker(command("twice"));
  EXPECT_EQ(ask(worker).failure, "");
  const Outcome second = ask(worker);
  EXPECT_EQ(second.failure, "answered before it was asked");
  EXPECT_EQ(second.kind, ErrorKind::corrupt);
  EXPECT_EQ(ask(worker).text, "1");  // of a new process
}

TEST(PeerWorker, ATimeoutEndsTheProcess) {
  const auto start = std::chrono::steady_clock::now();
  PeerWorker worker(command("hangs"));
  const Outcome outcome = ask(worker, {}, 300ms);
  EXPECT_THAT(outcome.failure, HasSubstr("no answer in time"));
  EXPECT_EQ(outcome.kind, ErrorKind::limit);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 60s);
}

TEST(PeerWorker, AMissingProgramIsASentence) {
  PeerWorker worker({"wcodec-no-such-program"});
  const Outcome outcome = ask(worker);
  EXPECT_THAT(outcome.failure, HasSubstr("'wcodec-no-such-program' could not be started"));
  EXPECT_EQ(outcome.kind, ErrorKind::not_found);
}

TEST(PeerWorker, ItsEndEndsTheProcessAndLeavesNothingOpen) {
  const int before = test::open_files();
  pid_t process = 0;
  {
    PeerWorker worker(command("process"));
    process = static_cast<pid_t>(std::stol(ask(worker).text));
    EXPECT_EQ(::kill(process, 0), 0);
    EXPECT_GT(test::open_files(), before);
  }
  EXPECT_EQ(::kill(process, 0), -1);
  EXPECT_EQ(errno, ESRCH);
  EXPECT_EQ(test::open_files(), before);
}

TEST(PeerWorker, ThreadsTakeTurns) {
  PeerWorker worker(command("echo"));
  std::vector<std::thread> threads;
  for (u64 seed = 0; seed < 4; ++seed) {
    threads.emplace_back([&worker, seed] {
      for (u64 call = 0; call < 20; ++call) {
        const std::vector<u8> body = test::random_bytes(100'000 + call, seed);
        std::vector<u8> out(body.size());
        EXPECT_EQ(worker.call("do", body, out, 60s).size, body.size());
        EXPECT_EQ(out, body);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace wcodec
