// Cells that run on a GPU. In a build without CUDA all of this says so.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "experiments/measure.hpp"
#include "quantizers/quantized.hpp"

namespace wcodec {

// Why no cell can run on a GPU here: a sentence, or empty.
std::string why_no_gpu_cells();

// The GPU that cells of "cuda:0" run on, for provenance; all empty where there is none.
struct GpuRecord {
  std::string name, driver;  // "CUDA 13.0": what the driver can do
  std::string kernels;       // hash of the kernels' sources (tools/kernels_hash.py), of this build
};
GpuRecord gpu_record();

// What the GPU makes of a record: the words. Throws Error{unsupported} where why_no_gpu_cells says something or no
// kernel decodes such a record, otherwise what decode_tensor throws.
std::vector<u8> decode_words_on_gpu(Bytes record, int gpu);

// A record decoded from device memory into device memory, timed on the GPU's own clock, kernels alone. `encode` makes
// the record and is timed on the host, by one core. The first decode is compared with the tensor.
std::unique_ptr<TimingSubject> make_gpu_codec_subject(int gpu, const QuantizedTensor& tensor,
                                                      std::function<std::vector<u8>()> encode);

// A baseline that works on the first GPU, in device memory and timed there: `spec` is an nvcomp spec. `symbol_bytes` is
// what its speed counts, `scale_bytes` what its size has beside its own bytes. The first decode is compared with
// `input`.
std::unique_ptr<TimingSubject> make_gpu_baseline_subject(const std::string& spec, const std::vector<u8>& input,
                                                         u64 symbol_bytes, u64 scale_bytes);

}  // namespace wcodec
