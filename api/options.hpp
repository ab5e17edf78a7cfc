// What the options of the C interface hold, once checked.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <wcodec.h>

#include "codec/checkpoint_codec.hpp"
#include "codec/container_reader.hpp"
#include "codec/gpu_load.hpp"
#include "codec/record_decoder.hpp"
#include "codec/tensor_codec.hpp"

struct wcodec_options {
  // Stages by their specs; empty ones are the library's to choose.
  std::string preset, tile, transform, coder, order;
  std::vector<std::string> modes;
  std::map<std::string, std::string> views;
  std::string model_name;
  std::string device = "cpu";
  wcodec::u64 gpu_staging = wcodec::GpuLoadOptions().staging_bytes;
  unsigned threads = 0;
  wcodec::u64 memory_bytes = 0;
  bool verify = true, overwrite = false;
  double atol = 0;
  wcodec::u64 part_weights = wcodec::kDefaultPartWeights;
  std::optional<wcodec::u64> max_weights;  // nothing: in proportion to a record, default_weight_limit
  wcodec::u64 max_output_bytes = wcodec::DecodeOptions().max_output_bytes;
  wcodec::u64 max_part_weights = wcodec::ReadLimits().max_part_weights;
  wcodec::u64 max_tensor_bytes = wcodec::ReadLimits().max_tensor_bytes;
};

namespace wcodec::api {

// The defaults for NULL.
const wcodec_options& or_defaults(const wcodec_options* options) noexcept;
EncodeOptions encode_options(const wcodec_options& options);
// For the option device; as many records at a time as the machine has threads, and two.
std::unique_ptr<RecordDecoder> record_decoder(const wcodec_options& options);

}  // namespace wcodec::api
