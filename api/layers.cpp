// One layer to a record and back.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>

#include "api/layer_checks.hpp"
#include "api/options.hpp"
#include "api/stats.hpp"
#include "api/status.hpp"
#include "codec/layer_plan.hpp"
#include "codec/record_info.hpp"
#include "core/dtype.hpp"

using namespace wcodec;

struct wcodec_encoder {
  EncodeOptions options;
  u64 max_weights;

  // How layers of this type are coded: the smallest record is taken.
  std::vector<StagePlan> plans(wcodec_dtype dtype) const {
    TensorInfo tensor;
    tensor.dtype = static_cast<DType>(dtype);
    return plan_layer(tensor, options).plans;
  }
};

struct wcodec_decoder {
  std::optional<u64> max_weights;
  // Of what the library is to allocate; memory of the caller's own says by itself how much is meant.
  u64 limit(Bytes record) const noexcept { return max_weights.value_or(default_weight_limit(record.size())); }
  u64 limit() const noexcept { return max_weights.value_or(kDefaultWeightLimit); }
  std::unique_ptr<RecordDecoder> records;
};

namespace {

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - begun_).count(); }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point begun_ = Clock::now();
};

struct Layer {
  wcodec_dtype dtype;
  u64 rows, cols;
  const void* elements;
  std::size_t size;
};

wcodec_stats stats_of(const QuantizedTensor& tensor) noexcept {
  wcodec_stats stats{};
  stats.source_bytes = stats.tensor_bytes = tensor.symbol_bytes();
  stats.weights = tensor.weights();
  stats.layers = stats.parts = 1;
  return stats;
}

struct Encoded {
  std::vector<u8> bytes;
  wcodec_stats stats;
};

Encoded encode(const wcodec_encoder* encoder, const Layer& layer) {
  const Stopwatch watch;
  api::require(encoder, "encoder");
  const QuantizedTensor tensor =
      api::checked_layer(layer.dtype, layer.rows, layer.cols, layer.elements, layer.size, encoder->max_weights);
  EncodedTensor tensor_record = encode_smallest(tensor, encoder->plans(layer.dtype));
  Encoded encoded{std::move(tensor_record.bytes), stats_of(tensor)};
  encoded.stats.encoded_bytes = encoded.bytes.size();
  api::put_ledger(tensor_record.ledger, encoded.stats);
  encoded.stats.seconds = watch.seconds();
  return encoded;
}

// Planes that are stored as they are, everything that stands beside them, and room to spare for how a coder cuts its
// streams: a coder that finds nothing better stores a plane at its width.
u64 bound(const StagePlan& plan, const DTypeInfo& d, u64 rows, u64 cols, u64 weights) {
  const TileGrid grid{static_cast<i64>(rows), static_cast<i64>(cols), plan.tile};
  const u64 tiles = weights == 0 ? 0 : static_cast<u64>(grid.tiles());
  u64 plane_params = 0, tile_params = 0;
  for (const PredictorChoice& mode : plan.modes) {
    const u64 params = mode.row->param_bytes(plan.tile.rows, plan.tile.cols, mode.option);
    if (mode.row->scope == ParamScope::plane) plane_params += params;
    if (mode.row->scope == ParamScope::tile) tile_params = std::max(tile_params, params);
  }
  // A choice a block, and at worst an escape of two bytes for every coefficient.
  const u64 transformed = plan.transforms.is_identity() ? 0 : weights / 64 + 2 * weights + 16;
  const u64 plane = weights + tiles * (1 + tile_params) + plane_params + transformed + weights / 64 + 256;
  return 64 + 2 * plan.modes.size() + plan.transforms.rows.size() + plane_layout(word_format(d)).size() * plane;
}

wcodec_record_info public_info(const RecordInfo& record) {
  const DTypeInfo& d = info(record.dtype);
  return {0,
          static_cast<wcodec_dtype>(record.dtype),
          static_cast<u64>(record.rows),
          static_cast<u64>(record.cols),
          static_cast<u32>(record.tile.rows),
          static_cast<u32>(record.tile.cols),
          static_cast<u64>(record.rows) * static_cast<u64>(record.cols) * static_cast<u64>(d.memory_bytes)};
}

Bytes record_bytes(const void* record, std::size_t size) {
  if (size != 0) api::require(record, "record");
  return {static_cast<const u8*>(record), size};
}

void decode(const wcodec_decoder* decoder, Bytes record, MutBytes elements, const wcodec_record_info& described,
            wcodec_record_info* info, wcodec_stats* stats) {
  const Stopwatch watch;
  // Without elements there is nothing to hold a record's claims against but itself.
  const QuantizedTensor tensor = elements.empty()
                                     ? decoder->records->decode(record, std::max(described.rows, described.cols))
                                     : decoder->records->decode_into(record, elements);
  api::fill_struct(info, described);
  wcodec_stats values = stats_of(tensor);
  values.encoded_bytes = record.size();
  values.seconds = watch.seconds();
  api::fill_struct(stats, values);
}

struct Free {
  void operator()(u8* memory) const noexcept { std::free(memory); }
};
using Allocated = std::unique_ptr<u8, Free>;

// For wcodec_free; never null.
Allocated allocate(u64 size) {
  Allocated memory(static_cast<u8*>(std::malloc(std::max<u64>(size, 1))));
  if (!memory) throw std::bad_alloc();
  return memory;
}

}  // namespace

size_t wcodec_dtype_size(wcodec_dtype dtype) {
  return api::is_dtype(dtype) ? static_cast<size_t>(info(static_cast<DType>(dtype)).memory_bytes) : 0;
}

const char* wcodec_dtype_name(wcodec_dtype dtype) {
  return api::is_dtype(dtype) ? info(static_cast<DType>(dtype)).name.data() : nullptr;  // literals, so terminated
}

wcodec_status wcodec_dtype_parse(const char* name, wcodec_dtype* dtype) {
  return api::guarded([&] {
    api::require(name, "name");
    api::require(dtype, "dtype");
    const auto parsed = parse_dtype(name);
    if (!parsed) throw Error(ErrorKind::usage, fmt::format("unknown dtype '{}'", printable(name)));
    *dtype = static_cast<wcodec_dtype>(*parsed);
  });
}

const char* wcodec_ledger_name(size_t entry) { return entry < kLedgerEntries ? kLedgerColumns[entry].data() : nullptr; }

wcodec_status wcodec_encoder_create(const wcodec_options* options, wcodec_encoder** encoder) {
  return api::guarded([&] {
    api::require(encoder, "encoder");
    const wcodec_options& chosen = api::or_defaults(options);
    auto made = std::make_unique<wcodec_encoder>(
        wcodec_encoder{api::encode_options(chosen), chosen.max_weights.value_or(kDefaultWeightLimit)});
    static_cast<void>(made->plans(WCODEC_U8));  // what is wrong with the options is said now
    *encoder = made.release();
  });
}

void wcodec_encoder_destroy(wcodec_encoder* encoder) { delete encoder; }

wcodec_status wcodec_encode_bound(const wcodec_encoder* encoder, wcodec_dtype dtype, uint64_t rows, uint64_t cols,
                                  size_t* size) {
  return api::guarded([&] {
    api::require(encoder, "encoder");
    api::require(size, "bound");
    const DTypeInfo& d = api::checked(dtype);
    const u64 weights = api::checked_weights(rows, cols, encoder->max_weights);
    u64 least = ~u64{0};
    for (const StagePlan& plan : encoder->plans(dtype)) least = std::min(least, bound(plan, d, rows, cols, weights));
    *size = least;
  });
}

wcodec_status wcodec_encode_layer(const wcodec_encoder* encoder, wcodec_dtype dtype, uint64_t rows, uint64_t cols,
                                  const void* elements, size_t size, void* record, size_t capacity, size_t* record_size,
                                  wcodec_stats* stats) {
  return api::guarded([&] {
    api::require(record_size, "record_size");
    api::check_struct(stats, "stats");
    if (capacity != 0) api::require(record, "record");
    const Encoded encoded = encode(encoder, {dtype, rows, cols, elements, size});
    *record_size = encoded.bytes.size();
    if (capacity < encoded.bytes.size()) {
      throw api::BufferTooSmall{
          fmt::format("the record takes {} bytes, the buffer has {}", encoded.bytes.size(), capacity)};
    }
    std::memcpy(record, encoded.bytes.data(), encoded.bytes.size());
    api::fill_struct(stats, encoded.stats);
  });
}

wcodec_status wcodec_encode_layer_alloc(const wcodec_encoder* encoder, wcodec_dtype dtype, uint64_t rows, uint64_t cols,
                                        const void* elements, size_t size, void** record, size_t* record_size,
                                        wcodec_stats* stats) {
  return api::guarded([&] {
    api::require(record, "record");
    api::require(record_size, "record_size");
    api::check_struct(stats, "stats");
    const Encoded encoded = encode(encoder, {dtype, rows, cols, elements, size});
    Allocated memory = allocate(encoded.bytes.size());
    std::memcpy(memory.get(), encoded.bytes.data(), encoded.bytes.size());
    *record = memory.release();
    *record_size = encoded.bytes.size();
    api::fill_struct(stats, encoded.stats);
  });
}

void wcodec_free(void* memory) { std::free(memory); }

wcodec_status wcodec_describe_record(const void* record, size_t record_size, wcodec_record_info* info) {
  return api::guarded([&] {
    api::require(info, "info");
    api::check_struct(info, "info");
    api::fill_struct(info, public_info(describe_record(record_bytes(record, record_size), u64{1} << 48)));
  });
}

wcodec_status wcodec_decoder_create(const wcodec_options* options, wcodec_decoder** decoder) {
  return api::guarded([&] {
    api::require(decoder, "decoder");
    const wcodec_options& chosen = api::or_defaults(options);
    *decoder = new wcodec_decoder{chosen.max_weights, api::record_decoder(chosen)};
  });
}

void wcodec_decoder_destroy(wcodec_decoder* decoder) { delete decoder; }

wcodec_status wcodec_decode_layer(const wcodec_decoder* decoder, const void* record, size_t record_size, void* elements,
                                  size_t size, wcodec_record_info* info, wcodec_stats* stats) {
  return api::guarded([&] {
    api::require(decoder, "decoder");
    api::check_struct(info, "info");
    api::check_struct(stats, "stats");
    const Bytes bytes = record_bytes(record, record_size);
    const wcodec_record_info described = public_info(describe_record(bytes, decoder->limit()));
    if (size < described.decoded_bytes) {
      api::fill_struct(info, described);
      throw api::BufferTooSmall{
          fmt::format("the layer takes {} bytes, the buffer has {}", described.decoded_bytes, size)};
    }
    if (size > described.decoded_bytes) {
      throw Error(ErrorKind::usage, fmt::format("the layer takes {} bytes, not {}", described.decoded_bytes, size));
    }
    if (size != 0) api::require(elements, "elements");
    decode(decoder, bytes, MutBytes(static_cast<u8*>(elements), size), described, info, stats);
  });
}

wcodec_status wcodec_decode_layer_alloc(const wcodec_decoder* decoder, const void* record, size_t record_size,
                                        void** elements, size_t* size, wcodec_record_info* info, wcodec_stats* stats) {
  return api::guarded([&] {
    api::require(decoder, "decoder");
    api::require(elements, "elements");
    api::require(size, "size");
    api::check_struct(info, "info");
    api::check_struct(stats, "stats");
    const Bytes bytes = record_bytes(record, record_size);
    const wcodec_record_info described = public_info(describe_record(bytes, decoder->limit(bytes)));
    Allocated memory = allocate(described.decoded_bytes);
    decode(decoder, bytes, MutBytes(memory.get(), described.decoded_bytes), described, info, stats);
    *elements = memory.release();
    *size = described.decoded_bytes;
  });
}
