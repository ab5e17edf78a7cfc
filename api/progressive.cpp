// One layer by bit planes.
#include "codec/progressive.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "api/layer_checks.hpp"
#include "api/options.hpp"
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
    ProgressiveOptions how;
    if (!chosen.order.empty()) how.order = parse_bit_order(chosen.order);
    if (!chosen.transform.empty()) how.transforms = parse_transform_set(chosen.transform);
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
    api::fill_struct(info_out, wcodec_progressive_info{
                                   0, static_cast<wcodec_dtype>(*dtype), static_cast<u64>(decoded.tensor.rows),
                                   static_cast<u64>(decoded.tensor.cols), static_cast<u32>(decoded.planes),
                                   static_cast<u32>(decoded.all_planes), decoded.bound, decoded.tensor.words.size()});
    *size = decoded.tensor.words.size();
    *elements = memory.release();
  });
}
