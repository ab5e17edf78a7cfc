// What the GPU benchmark times: one coder with its options on one data set, in device memory.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bench/gpu_data.hpp"
#include "bench/gpu_timing.hpp"
#include "codec/gpu_plan.hpp"

namespace wcodec {

// The original words, one layer after another, in host and device memory.
struct GpuOriginal {
  explicit GpuOriginal(const GpuDataSet& set);
  const GpuDataSet& set;
  DeviceBytes words;
};

class GpuSubject {
 public:
  virtual ~GpuSubject() = default;
  // Bytes of the stream that is decoded: all that has to be kept of it.
  virtual u64 coded_bytes() const = 0;
  // Device memory for `copies` streams and outputs, the outputs filled with what no decoder writes.
  virtual void prepare(std::size_t copies) = 0;
  virtual void decode(std::size_t copy, cudaStream_t stream) = 0;
  // Compresses the original once more; false where that is not done on the GPU.
  virtual bool can_encode() const { return false; }
  virtual void encode(cudaStream_t) {}
  // Throws unless every output that prepare made is the original, bit for bit, and the decoder reports no fault.
  virtual void check() = 0;
};

// Our coder `spec`: a record a layer. Encoded on the host by all cores.
std::unique_ptr<GpuSubject> make_wcodec_subject(const std::string& spec, const GpuOriginal& original);
// nvCOMP over all layers as one buffer, with the options of an `nvcomp:…` spec. Throws as NvcompLibrary::get does.
std::unique_ptr<GpuSubject> make_nvcomp_subject(const std::string& spec, const GpuOriginal& original);

}  // namespace wcodec
