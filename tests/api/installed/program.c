/* A C program that uses nothing but what `cmake --install` leaves. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wcodec.h>

#define EXPECT(condition)                                                                        \
  do {                                                                                           \
    if (!(condition)) {                                                                          \
      fprintf(stderr, "line %d: %s (%s)\n", __LINE__, #condition, wcodec_last_error()->message); \
      return 1;                                                                                  \
    }                                                                                            \
  } while (0)

int main(void) {
  enum { kRows = 48, kCols = 100, kSize = kRows * kCols };
  signed char weights[kSize], back[kSize];
  wcodec_options* options = NULL;
  wcodec_encoder* encoder = NULL;
  wcodec_decoder* decoder = NULL;
  size_t bound = 0, size = 0;
  wcodec_stats stats;
  unsigned char* record;
  int i;

  for (i = 0; i < kSize; ++i) weights[i] = (signed char)(i * i % 19 - 9);
  EXPECT(wcodec_options_create(&options) == WCODEC_OK);
  EXPECT(wcodec_options_set(options, "tile", "8x32") == WCODEC_OK);
  EXPECT(wcodec_options_set(options, "tile", "big") == WCODEC_USAGE);
  EXPECT(strstr(wcodec_last_error()->message, "big") != NULL);
  EXPECT(wcodec_encoder_create(options, &encoder) == WCODEC_OK);
  EXPECT(wcodec_decoder_create(NULL, &decoder) == WCODEC_OK);
  EXPECT(wcodec_encode_bound(encoder, WCODEC_I8, kRows, kCols, &bound) == WCODEC_OK);
  record = malloc(bound);
  EXPECT(record != NULL);
  stats.struct_size = sizeof stats;
  EXPECT(wcodec_encode_layer(encoder, WCODEC_I8, kRows, kCols, weights, kSize, record, bound, &size, &stats) ==
         WCODEC_OK);
  EXPECT(size < kSize && stats.encoded_bytes == size);
  EXPECT(wcodec_decode_layer(decoder, record, size, back, kSize, NULL, NULL) == WCODEC_OK);
  EXPECT(memcmp(weights, back, kSize) == 0);
  record[size / 2] ^= 1;
  EXPECT(wcodec_decode_layer(decoder, record, size, back, kSize, NULL, NULL) == WCODEC_CORRUPT);
  free(record);
  wcodec_decoder_destroy(decoder);
  wcodec_encoder_destroy(encoder);
  wcodec_options_destroy(options);
  printf("C, wcodec %s: %d bytes in %u\n", wcodec_version(), kSize, (unsigned)size);
  return 0;
}
