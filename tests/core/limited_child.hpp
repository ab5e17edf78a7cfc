// Runs a test's body in a child process with 512 MiB more of address space and 25 seconds of processor time: what a
// hostile file may cost. Under sanitizers the limit is on time only.
#pragma once

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <fstream>

#include "core/sanitized.hpp"

namespace wcodec {

// What this process has mapped: threads of earlier tests leave stacks and heaps behind, which are not the file's doing.
inline u64 address_space() {
  u64 pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * static_cast<u64>(::sysconf(_SC_PAGESIZE));
}

// Fails the running test when `body` fails an expectation, throws, crashes, or passes a limit. A child and not the test
// itself, because a limit once lowered stays, and because exhausting it must not take other tests along.
template <class Body>
void within_limits(Body body) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    // Processor time, because a busy machine is not the file's doing; and a bound on waiting for what never comes.
    const rlimit seconds{25, 25};
    ::alarm(200);
    if (::setrlimit(RLIMIT_CPU, &seconds) != 0) ::_exit(3);
    if (!kShadowMemory) {
      const rlim_t bytes = (rlim_t{512} << 20) + address_space();
      const rlimit limit{bytes, bytes};
      if (::setrlimit(RLIMIT_AS, &limit) != 0) ::_exit(3);
    }
    try {
      body();
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what();
    }
    std::fflush(nullptr);
    ::_exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WIFSIGNALED(status) ? WTERMSIG(status) : 0, 0) << "ended by this signal";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace wcodec
