/* A predictor: the line through the two symbols to the left, clamped to the alphabet.
 *
 *   cc -shared -fPIC -O2 -I path/to/wcodec linear.c -o linear.so */
#include "core/plugin.h"

/* Sees only what the decoder knows by then: earlier symbols of the same row, or the row above. */
static int guess(const uint8_t* tile, int r, int c, ptrdiff_t stride, int zero, int mask) {
  const uint8_t* at = tile + r * stride + c;
  if (c == 0) return r == 0 ? zero : at[-stride];
  if (c == 1) return at[-1];
  const int line = 2 * at[-1] - at[-2];
  return line < 0 ? 0 : line > mask ? mask : line;
}

static void residual(const uint8_t* tile, int rows, int cols, ptrdiff_t stride, uint8_t zero, int bits, uint8_t* out) {
  const int mask = (1 << bits) - 1;
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < cols; ++c) {
      *out++ = (uint8_t)((tile[r * stride + c] - guess(tile, r, c, stride, zero, mask)) & mask);
    }
  }
}

static void reconstruct(uint8_t* tile, int rows, int cols, ptrdiff_t stride, uint8_t zero, int bits,
                        const uint8_t* residuals) {
  const int mask = (1 << bits) - 1;
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < cols; ++c) {
      tile[r * stride + c] = (uint8_t)((*residuals++ + guess(tile, r, c, stride, zero, mask)) & mask);
    }
  }
}

static const wcodec_plugin_predictor kLinear = {
    .struct_size = sizeof(wcodec_plugin_predictor),
    .name = "example-linear",
    .help = "the line through the two symbols to the left",
    .residual = residual,
    .reconstruct = reconstruct,
};

static const wcodec_plugin_predictor* const kPredictors[] = {&kLinear, NULL};

static const wcodec_plugin kPlugin = {
    .abi = WCODEC_PLUGIN_ABI,
    .struct_size = sizeof(wcodec_plugin),
    .name = "linear",
    .version = "1.0",
    .predictors = kPredictors,
};

WCODEC_PLUGIN_EXPORT const wcodec_plugin* wcodec_plugin_describe(const wcodec_plugin_host* host) {
  (void)host;
  return &kPlugin;
}
