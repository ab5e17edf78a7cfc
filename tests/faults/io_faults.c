// LD_PRELOAD: makes one call of a process fail. Only calls on regular files count, and only in the process that was
// started with it: what it starts in turn runs undisturbed.
//   WCODEC_FAULT_CALLS   which calls, of "write fsync rename pread"
//   WCODEC_FAULT_AT      number of the call that fails, from 1; 0: none
//   WCODEC_FAULT_HOW     an errno ("EIO", "ENOSPC", "EINTR"), "short" (half is transferred) or "kill" (SIGKILL before
//   it) WCODEC_FAULT_COUNT   a file that holds the number of calls so far
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char* calls = "";
static char how[16];
static long fail_at;
static int count_file = -1;
static atomic_long counted;

__attribute__((constructor)) static void read_environment(void) {
  static char kept[64];
  const char* given = getenv("WCODEC_FAULT_CALLS");
  if (given == NULL) return;
  calls = strncpy(kept, given, sizeof kept - 1);
  given = getenv("WCODEC_FAULT_HOW");
  if (given != NULL) strncpy(how, given, sizeof how - 1);
  given = getenv("WCODEC_FAULT_AT");
  fail_at = given == NULL ? 0 : atol(given);
  given = getenv("WCODEC_FAULT_COUNT");
  if (given != NULL) count_file = open(given, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  unsetenv("WCODEC_FAULT_CALLS");
}

enum outcome { GO_ON, FAIL, SHORT };

static enum outcome decide(const char* call) {
  if (strstr(calls, call) == NULL) return GO_ON;
  const long number = atomic_fetch_add(&counted, 1) + 1;
  if (count_file >= 0) {
    char text[24];
    const int size = snprintf(text, sizeof text, "%ld", number);
    syscall(SYS_pwrite64, count_file, text, (size_t)size, (off_t)0);
  }
  if (number != fail_at) return GO_ON;
  if (strcmp(how, "kill") == 0) raise(SIGKILL);
  if (strcmp(how, "short") == 0) return SHORT;
  errno = strcmp(how, "ENOSPC") == 0 ? ENOSPC : strcmp(how, "EINTR") == 0 ? EINTR : EIO;
  return FAIL;
}

static enum outcome decide_on_file(const char* call, int descriptor) {
  struct stat status;
  const int saved = errno;
  const int regular = fstat(descriptor, &status) == 0 && (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode));
  errno = saved;
  return regular ? decide(call) : GO_ON;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define TRANSFER(call, size, forward)                             \
  const enum outcome outcome = decide_on_file(call, descriptor);  \
  if (outcome == FAIL) return -1;                                 \
  const size_t size = outcome == SHORT ? (given + 1) / 2 : given; \
  return forward

ssize_t write(int descriptor, const void* bytes, size_t given) {
  TRANSFER("write", size, REAL(write)(descriptor, bytes, size));
}
ssize_t pwrite(int descriptor, const void* bytes, size_t given, off_t at) {
  TRANSFER("write", size, REAL(pwrite)(descriptor, bytes, size, at));
}
ssize_t pwrite64(int descriptor, const void* bytes, size_t given, off64_t at) {
  TRANSFER("write", size, REAL(pwrite64)(descriptor, bytes, size, at));
}
ssize_t pread(int descriptor, void* bytes, size_t given, off_t at) {
  TRANSFER("pread", size, REAL(pread)(descriptor, bytes, size, at));
}
ssize_t pread64(int descriptor, void* bytes, size_t given, off64_t at) {
  TRANSFER("pread", size, REAL(pread64)(descriptor, bytes, size, at));
}
int fsync(int descriptor) { return decide_on_file("fsync", descriptor) == FAIL ? -1 : REAL(fsync)(descriptor); }
int fdatasync(int descriptor) { return decide_on_file("fsync", descriptor) == FAIL ? -1 : REAL(fdatasync)(descriptor); }
int rename(const char* from, const char* to) { return decide("rename") == FAIL ? -1 : REAL(rename)(from, to); }
int renameat2(int from_at, const char* from, int to_at, const char* to, unsigned flags) {
  return decide("rename") == FAIL ? -1 : REAL(renameat2)(from_at, from, to_at, to, flags);
}
