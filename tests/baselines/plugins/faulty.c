/* A plug-in that is wrong in one way, chosen when it is compiled. */
#include "core/plugin.h"

static size_t bound(size_t size, int level) { return size + (size_t)level; }

static size_t compress(const uint8_t* in, size_t size, int level, uint8_t* out, size_t capacity) {
  (void)in, (void)size, (void)level, (void)out;
#if defined(BOASTS)
  return capacity + 1;
#else
  (void)capacity;
  return WCODEC_PLUGIN_FAILED;
#endif
}

#if !defined(NO_FUNCTION)
static int decompress(const uint8_t* in, size_t size, uint8_t* out, size_t out_size) {
  (void)in, (void)size, (void)out, (void)out_size;
  return 1;
}
#endif

static const wcodec_plugin_baseline kRow = {
#if defined(WRONG_SIZE)
    .struct_size = sizeof(wcodec_plugin_baseline) + 8,
#else
    .struct_size = sizeof(wcodec_plugin_baseline),
#endif
#if defined(BAD_NAME)
    .name = "none+left",
#elif defined(TAKEN_NAME)
    .name = "zstd",
#elif defined(NO_NAME)
    .name = NULL,
#else
    .name = "faulty",
#endif
    .help = "does not work",
#if defined(BAD_LEVELS)
    .min_level = 1,
    .max_level = 3,
    .default_level = 4,
#endif
    .bound = bound,
    .compress = compress,
#if !defined(NO_FUNCTION)
    .decompress = decompress,
#endif
};

#if defined(TWICE)
static const wcodec_plugin_baseline* const kRows[] = {&kRow, &kRow, NULL};
#else
static const wcodec_plugin_baseline* const kRows[] = {&kRow, NULL};
#endif

static const wcodec_plugin kPlugin = {
#if defined(WRONG_ABI)
    .abi = WCODEC_PLUGIN_ABI + 1,
#else
    .abi = WCODEC_PLUGIN_ABI,
#endif
    .struct_size = sizeof(wcodec_plugin),
    .name = "faulty",
#if !defined(NO_VERSION)
    .version = "0",
#endif
    .baselines = kRows,
};

#if defined(NO_SYMBOL)
WCODEC_PLUGIN_EXPORT const wcodec_plugin* wcodec_plugin_describe_it(void);
const wcodec_plugin* wcodec_plugin_describe_it(void) { return &kPlugin; }
#elif defined(REFUSES)
WCODEC_PLUGIN_EXPORT const wcodec_plugin* wcodec_plugin_describe(const wcodec_plugin_host* host) {
  return host->abi > 1000 ? &kPlugin : NULL;
}
#else
WCODEC_PLUGIN_EXPORT const wcodec_plugin* wcodec_plugin_describe(const wcodec_plugin_host* host) {
  (void)host;
  return &kPlugin;
}
#endif
