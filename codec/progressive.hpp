// A tensor by bit planes from the top, so that any prefix of the planes is a tensor: of all weights at once, with a
// bound on what each of them is off, and the exact one at the end. Words of at most 32 bits are taken in the order of
// their values (no prediction: nothing drifts): of a float the first planes are its sign and exponent, and each plane
// behind them halves the relative error. Integers of at most 8 bits may be coefficients of 8 × 8 blocks instead.
// Layout: docs/format.md.
#pragma once

#include <vector>

#include "codec/tensor_codec.hpp"
#include "transforms/bitplanes.hpp"

namespace wcodec {

struct ProgressiveOptions {
  // Other than the defaults for integers of at most 8 bits only.
  BitOrder order = BitOrder::offset;  // better from about 1.6 bits a weight on (docs/decisions.md)
  TransformSet transforms = identity_transform();
};

// "offset" or "sign-magnitude"; throws Error{usage} with the nearest name.
BitOrder parse_bit_order(sv name);

struct ProgressiveRecord {
  std::vector<u8> bytes;
  Ledger ledger;                   // ledger.total() == bytes.size()
  std::vector<u64> prefix_bytes;   // prefix_bytes[k]: bytes that the first k planes need, k = 0 … planes
  std::vector<u32> largest_error;  // of any word after k planes, in steps of a word; 0 at the end
};

// Throws Error{unsupported} for words of 64 bits, and for options that the words do not have.
ProgressiveRecord encode_progressive(const QuantizedTensor& tensor, const ProgressiveOptions& options = {});

struct ProgressiveTensor {
  QuantizedTensor tensor;  // words as good as the planes allow, scales as stored
  // No word is off by more steps: units of an integer (times its scale for a weight), units in the last place of a
  // float, counted through its order.
  u32 bound = 0;
  // The same in value, without scales, of elements that are finite numbers. Others may come as finite numbers until all
  // planes are there.
  double value_bound = 0;
  int planes = 0, all_planes = 0;
};

inline constexpr int kAllPlanes = -1;

// From the first `planes` planes, or from all that are whole in `prefix` (kAllPlanes). The bound is the smaller of what
// the record says and of what follows from the planes themselves: half a step of what is hidden, through the gain of
// the inverse transform, plus what its rounding can do. Throws Error{corrupt | truncated | unsupported | limit}; the
// bytes of a plane are checked before they are read.
ProgressiveTensor decode_progressive(Bytes prefix, int planes, u64 max_weights);
// At most default_weight_limit(bytes of the prefix) weights.
inline ProgressiveTensor decode_progressive(Bytes prefix, int planes = kAllPlanes) {
  return decode_progressive(prefix, planes, default_weight_limit(prefix.size()));
}

}  // namespace wcodec
