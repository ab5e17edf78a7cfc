// THE list of quantizers.
#pragma once

#include <span>

#include "quantizers/quantizer.hpp"

namespace wcodec {

std::span<const Quantizer* const> quantizers() noexcept;

// A quantizer with its options, checked. Throws Error{usage} with the nearest name.
struct QuantizerChoice {
  const Quantizer* row;
  Spec spec;
};
QuantizerChoice parse_quantizer(sv text);
// Canonical: options at their defaults left out, but what shares a scale always said ("int8:axis=row",
// "int4:group=128").
std::string to_string(const QuantizerChoice& choice);

}  // namespace wcodec
