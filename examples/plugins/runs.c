/* A baseline: run lengths. A control byte n below 128 is followed by n + 1 bytes as they are; any other by one byte
 * that stands n - 126 times (2 to 129). The level is the shortest run that is coded as one, less one.
 *
 *   cc -shared -fPIC -O2 -I path/to/wcodec runs.c -o runs.so */
#include <string.h>

#include "core/plugin.h"

enum { kLongestLiteral = 128, kLongestRun = 129 };

static size_t bound(size_t size, int level) {
  (void)level; /* runs of two can cut a literal short for nothing: a control byte for every byte at the worst */
  return 2 * size;
}

static size_t compress(const uint8_t* in, size_t size, int level, uint8_t* out, size_t capacity) {
  size_t at = 0, written = 0, literals = 0; /* literals: bytes before `at` that wait for their control byte */
  while (at < size || literals > 0) {
    size_t run = at < size ? 1 : 0;
    while (run > 0 && at + run < size && run < kLongestRun && in[at + run] == in[at]) ++run;
    const int worth_it = run > (size_t)level;
    if (literals > 0 && (worth_it || at == size || literals == kLongestLiteral)) {
      if (capacity - written < literals + 1) return WCODEC_PLUGIN_FAILED;
      out[written++] = (uint8_t)(literals - 1);
      memcpy(out + written, in + at - literals, literals);
      written += literals;
      literals = 0;
    }
    if (worth_it) {
      if (capacity - written < 2) return WCODEC_PLUGIN_FAILED;
      out[written++] = (uint8_t)(run + 126);
      out[written++] = in[at];
      at += run;
    } else if (at < size) {
      ++literals;
      ++at;
    }
  }
  return written;
}

static int decompress(const uint8_t* in, size_t size, uint8_t* out, size_t out_size) {
  size_t at = 0, written = 0;
  while (at < size) {
    const unsigned control = in[at++];
    const size_t length = control < 128 ? control + 1 : control - 126;
    const size_t needed = control < 128 ? length : 1;
    if (needed > size - at || length > out_size - written) return 1;
    if (control < 128) {
      memcpy(out + written, in + at, length);
    } else {
      memset(out + written, in[at], length);
    }
    at += needed;
    written += length;
  }
  return written == out_size ? 0 : 1;
}

static const wcodec_plugin_baseline kRuns = {
    .struct_size = sizeof(wcodec_plugin_baseline),
    .name = "example-runs",
    .help = "run lengths",
    .min_level = 1,
    .max_level = 4,
    .default_level = 2,
    .bound = bound,
    .compress = compress,
    .decompress = decompress,
};

static const wcodec_plugin_baseline* const kBaselines[] = {&kRuns, NULL};

static const wcodec_plugin kPlugin = {
    .abi = WCODEC_PLUGIN_ABI,
    .struct_size = sizeof(wcodec_plugin),
    .name = "runs",
    .version = "1.0",
    .baselines = kBaselines,
};

WCODEC_PLUGIN_EXPORT const wcodec_plugin* wcodec_plugin_describe(const wcodec_plugin_host* host) {
  (void)host;
  return &kPlugin;
}
