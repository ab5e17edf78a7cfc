/* Plug-ins: predictors, entropy coders and baselines from a shared library of yours. Plain C, so that any compiler and
 * any language with a C interface will do; docs/plugins.md shows one of each.
 *
 * A plug-in is a shared library that exports wcodec_plugin_describe. What that returns, and all that it points to, is
 * constant and lives as long as the process: wcodec never unloads a plug-in.
 *
 * Rules for every function: it may be called from many threads at once; it gets validated arguments and non-null
 * pointers; it neither throws nor jumps out; it writes only where and as much as it is told. Equal input gives equal
 * output, on every machine. Decoders get input that may be damaged: they must report it, or return other symbols, but
 * never read or write out of bounds. */
#ifndef WCODEC_CORE_PLUGIN_H
#define WCODEC_CORE_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

/* Counts incompatible changes of this file. A plug-in built for another number is refused. */
#define WCODEC_PLUGIN_ABI 1

/* Returned by functions that return a size and could not do their work. */
#define WCODEC_PLUGIN_FAILED ((size_t)-1)

#if defined(__cplusplus)
#define WCODEC_PLUGIN_EXPORT extern "C" __attribute__((visibility("default")))
extern "C" {
#else
#define WCODEC_PLUGIN_EXPORT __attribute__((visibility("default")))
#endif

/* Replaces the symbols of a tile by their distance from a guess that the decoder can repeat, so a guess may look only
 * at symbols of the same tile that come earlier in raster order.
 *
 * Symbols are words 0 ... 2^bits - 1 in the order of the values they stand for: a signed x is held as x + 2^(bits-1),
 * and `zero` is the word that stands for 0. `stride` is the distance between the first symbols of two rows. Tiles have
 * at least one row and one column, 1 <= bits <= 8. Residuals are contiguous, row by row. */
typedef struct wcodec_plugin_predictor {
  size_t struct_size; /* sizeof(wcodec_plugin_predictor) */
  const char* name;   /* as used in `modes`; see wcodec_plugin below for what a name may be */
  const char* help;   /* a line for `wcodec list` */
  /* out[r * cols + c] = (tile[r * stride + c] - guess) mod 2^bits */
  void (*residual)(const uint8_t* tile, int rows, int cols, ptrdiff_t stride, uint8_t zero, int bits, uint8_t* out);
  /* The inverse: fills `tile` from its residuals, touching nothing between the rows. */
  void (*reconstruct)(uint8_t* tile, int rows, int cols, ptrdiff_t stride, uint8_t zero, int bits,
                      const uint8_t* residual);
} wcodec_plugin_predictor;

/* Turns a run of residuals, words 0 ... 2^bits - 1, into bytes. The counts are kept by wcodec: a coder writes no
 * length. */
typedef struct wcodec_plugin_coder {
  size_t struct_size; /* sizeof(wcodec_plugin_coder) */
  const char* name;
  const char* help;
  /* The most that `encode` may write for `count` symbols. */
  size_t (*bound)(size_t count, int bits);
  /* Returns the bytes written to `out`, or WCODEC_PLUGIN_FAILED. `capacity` is at least the bound. `count` may be 0. */
  size_t (*encode)(const uint8_t* symbols, size_t count, int bits, uint8_t* out, size_t capacity);
  /* Fills exactly `count` symbols from exactly `size` bytes. Returns 0, or anything else when the bytes are damaged. */
  int (*decode)(const uint8_t* in, size_t size, int bits, uint8_t* symbols, size_t count);
} wcodec_plugin_coder;

/* A general compressor to measure the codec against. The size of the raw bytes is kept by wcodec. */
typedef struct wcodec_plugin_baseline {
  size_t struct_size; /* sizeof(wcodec_plugin_baseline) */
  const char* name;
  const char* help;
  /* The option `level`: all three 0 when there is none; otherwise low <= default <= high. */
  int min_level, max_level, default_level;
  size_t (*bound)(size_t size, int level);
  /* Returns the bytes written to `out`, or WCODEC_PLUGIN_FAILED, also when they would exceed `capacity`. */
  size_t (*compress)(const uint8_t* in, size_t size, int level, uint8_t* out, size_t capacity);
  /* Fills exactly `out_size` bytes from exactly `size` bytes. Returns 0, or anything else when that cannot be. */
  int (*decompress)(const uint8_t* in, size_t size, uint8_t* out, size_t out_size);
} wcodec_plugin_baseline;

/* Names match [a-z0-9][a-z0-9_-]*, at most 40 characters, and differ from wcodec's own and from other plug-ins'. */
typedef struct wcodec_plugin {
  uint32_t abi;       /* WCODEC_PLUGIN_ABI */
  size_t struct_size; /* sizeof(wcodec_plugin) */
  const char* name;
  const char* version; /* yours; kept with results. Results are kept apart by the file's content anyway. */
  /* Each a list that ends with a null pointer, or a null pointer for none. */
  const wcodec_plugin_predictor* const* predictors;
  const wcodec_plugin_coder* const* coders;
  const wcodec_plugin_baseline* const* baselines;
} wcodec_plugin;

/* Who is asking. */
typedef struct wcodec_plugin_host {
  uint32_t abi;       /* WCODEC_PLUGIN_ABI of the program */
  size_t struct_size; /* sizeof(wcodec_plugin_host) */
} wcodec_plugin_host;

#if defined(__cplusplus)
}
#endif

/* The one symbol that a plug-in exports. Returns null to refuse this host. */
WCODEC_PLUGIN_EXPORT const wcodec_plugin* wcodec_plugin_describe(const wcodec_plugin_host* host);

#endif
