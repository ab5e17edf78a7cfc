// By bit planes: one layer, and whole checkpoints.
#include "codec/progressive_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "api/layer_checks.hpp"
#include "api/options.hpp"
#include "api/progress.hpp"
#include "api/stats.hpp"
#include "api/status.hpp"
#include "codec/record_info.hpp"

using namespace wcodec;

namespace {

static_assert(WCODEC_MAX_PLANES == kMaxBitPlanes);

struct Free {
  void operator()(void* memory) const noexcept { std::free(memory); }
};
using Allocated = std::unique_ptr<void, Free>;

// A copy for wcodec_free; never null.
Allocated copy_of(Bytes bytes) {
  Allocated memory(std::malloc(std::max<std::size_t>(bytes.size(), 1)));
  if (!memory) throw std::bad_alloc();
  if (!bytes.empty()) std::memcpy(memory.get(), bytes.data(), bytes.size());
  return memory;
}

ProgressiveOptions progressive_options(const wcodec_options& chosen) {
  ProgressiveOptions how;
  if (!chosen.order.empty()) how.order = parse_bit_order(chosen.order);
  if (!chosen.transform.empty()) how.transforms = parse_transform_set(chosen.transform);
  return how;
}

std::function<bool(u64, u64, sv)> to_callback(wcodec_progress progress, void* user) {
  if (progress == nullptr) return {};
  return [progress, user](u64 done, u64 total, sv layer) {
    return progress(user, done, total, printable(layer).c_str()) == 0;
  };
}

}  // namespace

wcodec_status wcodec_encode_progressive_alloc(const wcodec_options* options, wcodec_dtype dtype, uint64_t rows,
                                              uint64_t cols, const void* elements, size_t size, void** record,
                                              size_t* record_size, uint64_t prefix_bytes[WCODEC_MAX_PLANES + 1],
                                              wcodec_stats* stats) {
  return api::guarded([&] {
    api::require(record, "record");
    api::require(record_size, "record_size");
    api::check_struct(stats, "stats");
    const auto begun = std::chrono::steady_clock::now();
    const wcodec_options& chosen = api::or_defaults(options);
    const ProgressiveOptions how = progressive_options(chosen);
    const QuantizedTensor tensor =
        api::checked_layer(dtype, rows, cols, elements, size, chosen.max_weights.value_or(kDefaultWeightLimit));
    const ProgressiveRecord coded = encode_progressive(tensor, how);
    Allocated memory = copy_of(coded.bytes);
    if (prefix_bytes != nullptr) {
      for (std::size_t k = 0; k <= WCODEC_MAX_PLANES; ++k)
        prefix_bytes[k] = coded.prefix_bytes[std::min(k, coded.prefix_bytes.size() - 1)];
    }
    wcodec_stats values{};
    values.source_bytes = values.tensor_bytes = tensor.symbol_bytes();
    values.encoded_bytes = coded.bytes.size();
    values.weights = tensor.weights();
    values.layers = values.parts = 1;
    values.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    api::put_ledger(coded.ledger, values);
    api::fill_struct(stats, values);
    *record = memory.release();
    *record_size = coded.bytes.size();
  });
}

wcodec_status wcodec_decode_progressive_alloc(const wcodec_options* options, const void* prefix, size_t prefix_size,
                                              int planes, void** elements, size_t* size,
                                              wcodec_progressive_info* info_out) {
  return api::guarded([&] {
    api::require(elements, "elements");
    api::require(size, "size");
    api::check_struct(info_out, "info");
    if (prefix_size != 0) api::require(prefix, "prefix");
    const Bytes bytes(static_cast<const u8*>(prefix), prefix_size);
    const u64 limit = api::or_defaults(options).max_weights.value_or(default_weight_limit(prefix_size));
    const ProgressiveTensor decoded = decode_progressive(bytes, planes, limit);
    const auto dtype = dtype_of(decoded.tensor.format);
    if (!dtype) throw Error(ErrorKind::corrupt, "progressive record: no type has such words");
    Allocated memory = copy_of(decoded.tensor.words);
    api::fill_struct(
        info_out, wcodec_progressive_info{0, static_cast<wcodec_dtype>(*dtype), static_cast<u64>(decoded.tensor.rows),
                                          static_cast<u64>(decoded.tensor.cols), static_cast<u32>(decoded.planes),
                                          static_cast<u32>(decoded.all_planes), decoded.bound,
                                          decoded.tensor.words.size(), decoded.value_bound});
    *size = decoded.tensor.words.size();
    *elements = memory.release();
  });
}

wcodec_status wcodec_encode_progressive_checkpoint(const char* source, const char* destination,
                                                   const wcodec_options* options, wcodec_progress progress, void* user,
                                                   wcodec_stats* stats) {
  return api::guarded(
      [&] {
        api::require(source, "source");
        api::require(destination, "destination");
        api::check_struct(stats, "stats");
        const auto begun = std::chrono::steady_clock::now();
        const wcodec_options& chosen = api::or_defaults(options);
        const ProgressiveEncodeOptions encode{progressive_options(chosen), chosen.views, chosen.preset,
                                              chosen.overwrite, to_callback(progress, user)};
        const ProgressiveFileStats coded = encode_progressive_file(source, destination, encode);
        wcodec_stats values{};
        values.source_bytes = values.tensor_bytes = coded.source_bytes;
        values.encoded_bytes = coded.file_bytes;
        values.weights = coded.weights;
        values.layers = coded.layers;
        values.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
        api::put_ledger(coded.ledger, values);
        api::fill_struct(stats, values);
      },
      source, destination);
}

wcodec_status wcodec_decode_progressive_checkpoint(const char* source, const char* destination, int planes,
                                                   const wcodec_options* options, wcodec_progress progress,
                                                   wcodec_progressive_decoded decoded, void* user) {
  return api::guarded(
      [&] {
        api::require(source, "source");
        api::require(destination, "destination");
        if (planes < kAllPlanes || planes > kMaxBitPlanes)
          throw Error(ErrorKind::usage, fmt::format("planes are -1 (all) to {}, not {}", kMaxBitPlanes, planes));
        const wcodec_options& chosen = api::or_defaults(options);
        const ProgressiveDecodeOptions decode{planes, chosen.max_output_bytes, chosen.overwrite,
                                              to_callback(progress, user)};
        for (const ProgressiveBound& layer : decode_progressive_file(source, destination, decode)) {
          if (decoded == nullptr) break;
          const std::string name = printable(layer.name);
          const wcodec_progressive_layer told{
              sizeof(wcodec_progressive_layer),   name.c_str(), static_cast<u32>(layer.planes),
              static_cast<u32>(layer.all_planes), layer.bound,  layer.value_bound};
          decoded(user, &told);
        }
      },
      source, destination);
}
