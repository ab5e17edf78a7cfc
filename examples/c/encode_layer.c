/* One layer to a record and back.
 *
 *   cc encode_layer.c $(pkg-config --cflags --libs wcodec) -lm -o encode_layer && ./encode_layer */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wcodec.h>

static int failed(const char* what) {
  const wcodec_error* error = wcodec_last_error();
  fprintf(stderr, "%s: %s (%s)\n", what, error->message, wcodec_status_name(error->status));
  return 1;
}

int main(void) {
  enum { kRows = 256, kCols = 512, kSize = kRows * kCols * sizeof(float) };
  float* weights = malloc(kSize);
  float* back = malloc(kSize);
  wcodec_encoder* encoder = NULL;
  wcodec_decoder* decoder = NULL;
  wcodec_stats stats = {.struct_size = sizeof stats};
  void* record = NULL;
  size_t size = 0;
  int i;

  if (weights == NULL || back == NULL) return 1;
  for (i = 0; i < kRows * kCols; ++i) weights[i] = 0.02f * sinf((float)i * (float)i);

  if (wcodec_encoder_create(NULL, &encoder) != WCODEC_OK) return failed("encoder");
  if (wcodec_encode_layer_alloc(encoder, WCODEC_F32, kRows, kCols, weights, kSize, &record, &size, &stats) != WCODEC_OK)
    return failed("encode");
  if (wcodec_decoder_create(NULL, &decoder) != WCODEC_OK) return failed("decoder");
  if (wcodec_decode_layer(decoder, record, size, back, kSize, NULL, NULL) != WCODEC_OK) return failed("decode");
  printf("%d bytes as %zu, ratio %.3f, %s\n", (int)kSize, size, (double)stats.source_bytes / (double)size,
         memcmp(weights, back, kSize) == 0 ? "the same again" : "DIFFERENT");

  wcodec_free(record);
  wcodec_decoder_destroy(decoder);
  wcodec_encoder_destroy(encoder);
  free(back);
  free(weights);
  return 0;
}
