// Who decodes records to main memory: the CPU, or a GPU through page-locked memory with the CPU for what the GPU has no
// decoder or no memory for. The words are the same.
#pragma once

#include <memory>
#include <string>

#include "codec/device.hpp"
#include "codec/tensor_codec.hpp"

namespace wcodec {

struct DecoderCounts {
  u64 gpu_records = 0, cpu_records = 0;
  std::string note;  // why the CPU had to decode what was meant for a GPU, the first reason; may be empty
};

// May be used by many threads at once.
class RecordDecoder {
 public:
  virtual ~RecordDecoder() = default;
  // As decode_tensor and decode_tensor_into, and throws what they throw; Error{internal} besides, where a GPU fails.
  virtual QuantizedTensor decode(Bytes record, u64 max_weights) = 0;
  virtual QuantizedTensor decode_into(Bytes record, MutBytes words) = 0;
  virtual DecoderCounts counts() const = 0;
};

// For a device of choose_device. A GPU holds, for each of at most `slots` records at a time, the record, its words and
// scratch memory, and main memory as much page-locked; slots are made as they are needed, and stay.
std::unique_ptr<RecordDecoder> make_record_decoder(const Device& device, unsigned slots,
                                                   const GpuRuntime& runtime = gpu_runtime());

}  // namespace wcodec
