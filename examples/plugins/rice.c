/* An entropy coder: Rice codes (Rice 1979). A residual becomes a small number of either sign, folded to 0, -1, 1, -2,
 * ..., and is sent as its upper part in unary and its lower k bits as they are. One byte says k; k = bits means that
 * symbols stand as they are.
 *
 *   cc -shared -fPIC -O2 -I path/to/wcodec rice.c -o rice.so */
#include <string.h>

#include "core/plugin.h"

/* 0, 2^bits - 1, 1, 2^bits - 2, ... to 0, 1, 2, 3, ...: residuals wrap, so the upper half are the negative ones. */
static unsigned fold(unsigned symbol, int bits) {
  const unsigned half = 1u << (bits - 1);
  return symbol < half ? 2 * symbol : 2 * ((2 * half - 1) - symbol) + 1;
}

static unsigned unfold(unsigned folded, int bits) {
  const unsigned mask = (1u << bits) - 1;
  return (folded & 1) != 0 ? mask - folded / 2 : folded / 2;
}

static size_t bits_with(const size_t* counts, int bits, int k) {
  size_t total = 0;
  for (unsigned value = 0; value < 1u << bits; ++value) {
    total += counts[value] * (k == bits ? (size_t)bits : (value >> k) + 1 + (size_t)k);
  }
  return total;
}

static size_t bound(size_t count, int bits) {
  return 1 + count / 8 * (size_t)bits + (count % 8 * (size_t)bits + 7) / 8;
}

static size_t encode(const uint8_t* symbols, size_t count, int bits, uint8_t* out, size_t capacity) {
  size_t counts[256] = {0};
  for (size_t i = 0; i < count; ++i) ++counts[fold(symbols[i], bits)];
  int k = bits;
  for (int other = 0; other < bits; ++other) {
    if (bits_with(counts, bits, other) < bits_with(counts, bits, k)) k = other;
  }
  const size_t size = 1 + (bits_with(counts, bits, k) + 7) / 8;
  if (size > capacity) return WCODEC_PLUGIN_FAILED;

  memset(out, 0, size);
  out[0] = (uint8_t)k;
  size_t at = 8; /* in bits */
  for (size_t i = 0; i < count; ++i) {
    const unsigned value = fold(symbols[i], bits);
    if (k < bits) { /* zeros, then a one */
      at += value >> k;
      out[at / 8] |= (uint8_t)(1u << at % 8);
      ++at;
    }
    for (int b = 0; b < k; ++b, ++at) out[at / 8] |= (uint8_t)((value >> b & 1) << at % 8);
  }
  return size;
}

static int decode(const uint8_t* in, size_t size, int bits, uint8_t* symbols, size_t count) {
  if (size == 0 || in[0] > bits) return 1;
  const int k = in[0];
  const size_t end = size * 8;
  size_t at = 8;
  for (size_t i = 0; i < count; ++i) {
    unsigned value = 0;
    if (k < bits) {
      while (at < end && (in[at / 8] >> at % 8 & 1) == 0) ++at, ++value;
      if (at++ >= end || value >= 1u << (bits - k)) return 1;
      value <<= k;
    }
    if (end - at < (size_t)k) return 1;
    for (int b = 0; b < k; ++b, ++at) value |= (unsigned)(in[at / 8] >> at % 8 & 1) << b;
    symbols[i] = (uint8_t)unfold(value, bits);
  }
  return (at + 7) / 8 == size ? 0 : 1;
}

static const wcodec_plugin_coder kRice = {
    .struct_size = sizeof(wcodec_plugin_coder),
    .name = "example-rice",
    .help = "Rice codes, one parameter a stream",
    .bound = bound,
    .encode = encode,
    .decode = decode,
};

static const wcodec_plugin_coder* const kCoders[] = {&kRice, NULL};

static const wcodec_plugin kPlugin = {
    .abi = WCODEC_PLUGIN_ABI,
    .struct_size = sizeof(wcodec_plugin),
    .name = "rice",
    .version = "1.0",
    .coders = kCoders,
};

WCODEC_PLUGIN_EXPORT const wcodec_plugin* wcodec_plugin_describe(const wcodec_plugin_host* host) {
  (void)host;
  return &kPlugin;
}
