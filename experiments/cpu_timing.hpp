// Subjects that are timed on the CPU.
#pragma once

#include <memory>

#include "baselines/registry.hpp"
#include "experiments/cell_device.hpp"
#include "experiments/measure.hpp"
#include "quantizers/quantized.hpp"

namespace wcodec {

// A codec cell on one core, on one without SIMD, or on all at once. A round trip is checked. Throws as the codec does.
std::unique_ptr<TimingSubject> make_codec_subject(QuantizedTensor tensor, const Cell& cell, const CellDevice& device);

// A baseline on one core: `input` is what it is given, `symbol_bytes` what its speed counts, `scale_bytes` what its
// size has beside its own bytes.
std::unique_ptr<TimingSubject> make_baseline_subject(const PreparedBaseline& baseline, std::vector<u8> input,
                                                     u64 symbol_bytes, u64 scale_bytes);

}  // namespace wcodec
