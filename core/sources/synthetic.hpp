// `synthetic:KIND:rows=…,cols=…,seed=…`: made-up weights, the same bits on every machine, computed as they are read.
#pragma once

#include <memory>

#include "core/sources/source.hpp"
#include "core/spec.hpp"

namespace wcodec {

struct SyntheticKind {
  sv name;
  sv help;
};

std::span<const SyntheticKind> synthetic_kinds() noexcept;
std::span<const OptionInfo> synthetic_options() noexcept;

// `spec` is what follows "synthetic:". Tensors are named KIND.0.weight, KIND.1.weight, …; every value depends only on
// (seed, tensor, row, column). Throws Error{usage} for what is wrong with the spec, Error{limit} for its size.
std::unique_ptr<Checkpoint> open_synthetic(sv spec, const OpenOptions& options);

}  // namespace wcodec
