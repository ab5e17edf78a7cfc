// A quantized tensor as what a reference leaves of it: residual words, which go through the stages like any tensor, and
// side information. Whoever has the reference gets the words back bit for bit.
//
// The reference is a tensor of the same shape, quantized by the same quantizer; a prediction is made of its weights as
// dequantized: the word nearest to (a · weight + c) on the tensor's own grid, that is with the tensor's own scales,
// which are stored as ever. Of weights stored as they are, fit `delta` and `xor` take the reference's words themselves
// where both have one type.
//
// Residuals of words of at most 8 bits: the difference modulo 2^b of order-preserving words, in the tensor's format.
// Those of wider words are differences too, but folded (0, −1, 1, −2, … become 0, 1, 2, 3, …) into unsigned integers,
// as two's complement would have the sign in every byte. `xor` keeps the format: a sign or an exponent that agrees
// becomes a zero in its own plane.
//
// Side information, little-endian: u8 fit; of folded residuals u8 number class and u8 exponent bits of the words; f32 a
// (scalar, affine, permuted); f32 c (affine); which row of the reference each row has (permuted;
// permutation_code.hpp).
#pragma once

#include <vector>

#include "core/ledger_writer.hpp"
#include "experiments/reference.hpp"
#include "quantizers/registry.hpp"

namespace wcodec {

struct ReferenceTensor {
  QuantizedTensor words;
  std::vector<float> weights;  // as dequantized
};
ReferenceTensor make_reference(QuantizedTensor words, const QuantizerChoice& quantizer);

// The residual, with the tensor's scales; writes the side information, all booked under `param`. Throws
// Error{unsupported} where shapes differ, where `permuted` meets more than kMaxPermutedRows rows, and for words that
// are no numbers.
QuantizedTensor subtract_reference(const QuantizedTensor& tensor, const QuantizerChoice& quantizer,
                                   const ReferenceTensor& reference, ReferenceFit fit, LedgerWriter& out);
// The inverse, from what was written and the reference. Throws Error{corrupt | truncated | unsupported}.
QuantizedTensor add_reference(const QuantizedTensor& residual, const QuantizerChoice& quantizer,
                              const ReferenceTensor& reference, ByteReader& in);

}  // namespace wcodec
