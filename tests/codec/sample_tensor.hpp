// Tensors for tests, goldens and fuzz seeds: the same bits on every machine and compiler.
#pragma once

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "core/philox.hpp"
#include "quantizers/quantized.hpp"

namespace wcodec {

// Gaussian weights of any dtype, rows of different scale, so that every stage has something to find; a scale of four
// bytes a row where the dtype is one of quantized codes.
inline QuantizedTensor sample_tensor(DType dtype, i64 rows, i64 cols, u64 seed) {
  const DTypeInfo& d = info(dtype);
  const auto bytes = static_cast<std::size_t>(d.memory_bytes);
  QuantizedTensor out{rows, cols, word_format(d), {}, {}};
  out.words.resize(out.weights() * bytes);
  Philox random(seed, static_cast<u64>(dtype));
  for (u64 i = 0; i < out.weights(); ++i) {
    const double scale = 1.0 / static_cast<double>(1 + i / static_cast<u64>(cols) % 4);
    const double value = scale * random.normal();
    u64 word = 0;
    if (d.number == NumberClass::floating && d.bits >= 64) {
      word = std::bit_cast<u64>(0.02 * value);
    } else if (d.number == NumberClass::floating && d.bits > 8) {
      // Top bits of a float32: the right fields for f32 and bf16, and for f16 some finite words.
      word = std::bit_cast<u32>(static_cast<float>(0.02 * value)) >> (d.bits == 32 ? 0 : 16);
    } else {
      const double spread = d.bits < 8 ? 2.0 : 20.0;
      const i64 low = d.number == NumberClass::signed_int ? std::numeric_limits<i64>::min() >> (64 - d.bits) : 0;
      const i64 high = d.bits >= 32 ? 1000 : low + (i64{1} << d.bits) - 1;
      const i64 centre = d.number == NumberClass::signed_int ? 0 : (high + 1) / 2;
      word = static_cast<u64>(std::clamp(centre + static_cast<i64>(spread * value), low, high));
    }
    std::memcpy(out.words.data() + i * bytes, &word, bytes);
  }
  if (d.bits <= 8) {
    for (i64 r = 0; r < 4 * rows; ++r) out.scales.push_back(static_cast<u8>(random.below(256)));
  }
  return out;
}

}  // namespace wcodec
