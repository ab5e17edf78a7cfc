/* The plug-in behind wcodec.trial: hands every tile or stream to the Python process that listens on the socket named by
 * WCODEC_TRIAL_SOCKET, a connection a thread, and returns its answer. python/wcodec/_trial.py is the other end.
 *
 * A request is this header and `size` bytes, an answer a u32 (0 when all is well), a u32 size and so many bytes. A call
 * that fails leaves zeros: the round-trip check then fails its cell, and trial() knows the reason. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/plugin.h"

enum { kDescribe, kResidual, kReconstruct, kEncode, kDecode };
enum { kMost = 8, kTextBytes = 4096 };

typedef struct request {
  uint8_t what, index, zero, bits;
  uint32_t rows, cols, size;
} request;

static pthread_key_t connection_key;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;

static void close_connection(void* value) {
  if (*(int*)value >= 0) close(*(int*)value);
  free(value);
}

static void make_key(void) { pthread_key_create(&connection_key, close_connection); }

static int open_connection(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const char* path = getenv("WCODEC_TRIAL_SOCKET");
  int descriptor;
  if (path == NULL || strlen(path) >= sizeof address.sun_path) return -1;
  strcpy(address.sun_path, path);
  descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor >= 0 && connect(descriptor, (const struct sockaddr*)&address, sizeof address) != 0) {
    close(descriptor);
    descriptor = -1;
  }
  return descriptor;
}

/* This thread's connection, made at its first call; *it is -1 where there is none to be had. */
static int* connection(void) {
  int* kept;
  pthread_once(&key_once, make_key);
  kept = pthread_getspecific(connection_key);
  if (kept == NULL) {
    kept = malloc(sizeof *kept);
    if (kept == NULL) return NULL;
    *kept = open_connection();
    pthread_setspecific(connection_key, kept);
  }
  return kept;
}

static int put(int descriptor, const void* bytes, size_t size) {
  const char* at = bytes;
  while (size > 0) {
    const ssize_t sent = send(descriptor, at, size, MSG_NOSIGNAL);
    if (sent <= 0) return 0;
    at += sent;
    size -= (size_t)sent;
  }
  return 1;
}

static int get(int descriptor, void* bytes, size_t size) {
  char* at = bytes;
  while (size > 0) {
    const ssize_t got = recv(descriptor, at, size, 0);
    if (got <= 0) return 0;
    at += got;
    size -= (size_t)got;
  }
  return 1;
}

/* Bytes of the answer, at most `capacity`; WCODEC_PLUGIN_FAILED when there is none. */
static size_t ask(const request* question, const void* payload, void* answer, size_t capacity) {
  uint32_t reply[2];
  int* kept = connection();
  if (kept == NULL || *kept < 0) return WCODEC_PLUGIN_FAILED;
  if (put(*kept, question, sizeof *question) && put(*kept, payload, question->size) &&
      get(*kept, reply, sizeof reply)) {
    if (reply[0] != 0) return WCODEC_PLUGIN_FAILED; /* the function has failed, the connection has not */
    if (reply[1] <= capacity && get(*kept, answer, reply[1])) return reply[1];
  }
  close(*kept);
  *kept = -1;
  return WCODEC_PLUGIN_FAILED;
}

static void residual_of(int index, const uint8_t* tile, int rows, int cols, ptrdiff_t stride, uint8_t zero, int bits,
                        uint8_t* out) {
  const size_t size = (size_t)rows * (size_t)cols;
  const request question = {kResidual,      (uint8_t)index, zero,          (uint8_t)bits,
                            (uint32_t)rows, (uint32_t)cols, (uint32_t)size};
  for (int r = 0; r < rows; ++r) memcpy(out + (size_t)r * (size_t)cols, tile + r * stride, (size_t)cols);
  if (ask(&question, out, out, size) != size) memset(out, 0, size);
}

static void reconstruct_of(int index, uint8_t* tile, int rows, int cols, ptrdiff_t stride, uint8_t zero, int bits,
                           const uint8_t* residual) {
  const size_t size = (size_t)rows * (size_t)cols;
  const request question = {kReconstruct,   (uint8_t)index, zero,          (uint8_t)bits,
                            (uint32_t)rows, (uint32_t)cols, (uint32_t)size};
  uint8_t* whole = malloc(size);
  if (whole != NULL && ask(&question, residual, whole, size) != size) memset(whole, 0, size);
  for (int r = 0; r < rows; ++r) {
    if (whole != NULL) memcpy(tile + r * stride, whole + (size_t)r * (size_t)cols, (size_t)cols);
  }
  free(whole);
}

static size_t bound(size_t count, int bits) {
  (void)bits;
  return 4 * count + 65536;
}

static size_t encode_of(int index, const uint8_t* symbols, size_t count, int bits, uint8_t* out, size_t capacity) {
  const request question = {kEncode, (uint8_t)index, 0, (uint8_t)bits, (uint32_t)count, 1, (uint32_t)count};
  if (count > UINT32_MAX) return WCODEC_PLUGIN_FAILED;
  return ask(&question, symbols, out, capacity);
}

static int decode_of(int index, const uint8_t* in, size_t size, int bits, uint8_t* symbols, size_t count) {
  const request question = {kDecode, (uint8_t)index, 0, (uint8_t)bits, (uint32_t)count, 1, (uint32_t)size};
  if (count > UINT32_MAX || size > UINT32_MAX) return 1;
  return ask(&question, in, symbols, count) != count;
}

/* The interface has no room for whose function is called, so there is one function for each that can be. */
#define EACH(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define FUNCTIONS(I)                                                                                          \
  static void residual_##I(const uint8_t* tile, int rows, int cols, ptrdiff_t stride, uint8_t zero, int bits, \
                           uint8_t* out) {                                                                    \
    residual_of(I, tile, rows, cols, stride, zero, bits, out);                                                \
  }                                                                                                           \
  static void reconstruct_##I(uint8_t* tile, int rows, int cols, ptrdiff_t stride, uint8_t zero, int bits,    \
                              const uint8_t* residual) {                                                      \
    reconstruct_of(I, tile, rows, cols, stride, zero, bits, residual);                                        \
  }                                                                                                           \
  static size_t encode_##I(const uint8_t* symbols, size_t count, int bits, uint8_t* out, size_t capacity) {   \
    return encode_of(I, symbols, count, bits, out, capacity);                                                 \
  }                                                                                                           \
  static int decode_##I(const uint8_t* in, size_t size, int bits, uint8_t* symbols, size_t count) {           \
    return decode_of(I, in, size, bits, symbols, count);                                                      \
  }
EACH(FUNCTIONS)

#define PREDICTOR(I) {sizeof(wcodec_plugin_predictor), NULL, "a Python function", residual_##I, reconstruct_##I},
#define CODER(I) {sizeof(wcodec_plugin_coder), NULL, "Python functions", bound, encode_##I, decode_##I},
static wcodec_plugin_predictor predictors[kMost] = {EACH(PREDICTOR)};
static wcodec_plugin_coder coders[kMost] = {EACH(CODER)};
static const wcodec_plugin_predictor* predictor_list[kMost + 1];
static const wcodec_plugin_coder* coder_list[kMost + 1];
static char text[kTextBytes + 1];

/* The listener's description: a line with a version, then "p NAME" and "c NAME" for each predictor and coder. */
WCODEC_PLUGIN_EXPORT const wcodec_plugin* wcodec_plugin_describe(const wcodec_plugin_host* host) {
  static wcodec_plugin plugin = {
      WCODEC_PLUGIN_ABI, sizeof(wcodec_plugin), "python", text, predictor_list, coder_list, NULL};
  const request question = {kDescribe, 0, 0, 0, 0, 0, 0};
  size_t size, p = 0, c = 0;
  char* line;
  if (host->abi != WCODEC_PLUGIN_ABI) return NULL;
  size = ask(&question, "", text, kTextBytes);
  if (size == WCODEC_PLUGIN_FAILED) {
    fputs("wcodec.trial: nobody listens on WCODEC_TRIAL_SOCKET\n", stderr);
    return NULL;
  }
  text[size] = '\0';
  for (line = strchr(text, '\n'); line != NULL; line = strchr(line, '\n')) {
    *line++ = '\0';
    if (line[0] == 'p' && p < kMost) {
      predictors[p].name = line + 2;
      predictor_list[p] = &predictors[p];
      ++p;
    }
    if (line[0] == 'c' && c < kMost) {
      coders[c].name = line + 2;
      coder_list[c] = &coders[c];
      ++c;
    }
  }
  return &plugin;
}
