// The C interface (wcodec.h) with C++ manners: handles that close themselves, spans, exceptions. Header-only, C++20;
// link libwcodec. Everything said in wcodec.h about shapes, threads and stability holds here too.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <wcodec.h>

namespace wcodec::api {

// What a failed call leaves behind: wcodec_last_error() at that moment.
class Error : public std::runtime_error {
 public:
  explicit Error(const wcodec_error& error)
      : std::runtime_error(error.message),
        status_(error.status),
        file_(error.file),
        layer_(error.layer),
        offset_(error.offset) {}
  wcodec_status status() const noexcept { return status_; }
  const char* kind() const noexcept { return wcodec_status_name(status_); }  // "corrupt", "not found", …
  const std::string& file() const noexcept { return file_; }
  const std::string& layer() const noexcept { return layer_; }
  std::int64_t offset() const noexcept { return offset_; }  // −1 when unknown

 private:
  wcodec_status status_;
  std::string file_, layer_;
  std::int64_t offset_;
};

inline void check(wcodec_status status) {
  if (status != WCODEC_OK) throw Error(*wcodec_last_error());
}

// Chainable: Options().set("tile", "16x16").set("preset", "speed").
class Options {
 public:
  Options() {
    wcodec_options* made = nullptr;
    check(wcodec_options_create(&made));
    handle_.reset(made);
  }
  Options& set(const std::string& key, const std::string& value) & {
    check(wcodec_options_set(handle_.get(), key.c_str(), value.c_str()));
    return *this;
  }
  Options&& set(const std::string& key, const std::string& value) && { return std::move(set(key, value)); }
  const wcodec_options* get() const noexcept { return handle_.get(); }

 private:
  struct Destroy {
    void operator()(wcodec_options* options) const noexcept { wcodec_options_destroy(options); }
  };
  std::unique_ptr<wcodec_options, Destroy> handle_;
};

inline wcodec_record_info describe(std::span<const std::uint8_t> record) {
  wcodec_record_info info{};
  info.struct_size = sizeof info;
  check(wcodec_describe_record(record.data(), record.size(), &info));
  return info;
}

// Memory that the library has provided.
class OwnedBytes {
 public:
  OwnedBytes() = default;
  OwnedBytes(void* memory, std::size_t size) noexcept : memory_(memory), size_(size) {}
  std::uint8_t* data() const noexcept { return static_cast<std::uint8_t*>(memory_.get()); }
  std::size_t size() const noexcept { return size_; }
  std::span<std::uint8_t> span() const noexcept { return {data(), size_}; }
  // Hands the memory over, to be given to wcodec_free.
  void* release() noexcept { return memory_.release(); }

 private:
  struct Free {
    void operator()(void* memory) const noexcept { wcodec_free(memory); }
  };
  std::unique_ptr<void, Free> memory_;
  std::size_t size_ = 0;
};

struct EncodedLayer {
  OwnedBytes record;
  wcodec_stats stats{};
};

// Layers to records. May be used by many threads at once.
class Encoder {
 public:
  explicit Encoder(const Options& options = {}) {
    wcodec_encoder* made = nullptr;
    check(wcodec_encoder_create(options.get(), &made));
    handle_.reset(made);
  }
  EncodedLayer encode_layer(wcodec_dtype dtype, std::uint64_t rows, std::uint64_t cols,
                            std::span<const std::uint8_t> elements) const {
    void* memory = nullptr;
    std::size_t size = 0;
    EncodedLayer layer;
    layer.stats.struct_size = sizeof layer.stats;
    check(wcodec_encode_layer_alloc(handle_.get(), dtype, rows, cols, elements.data(), elements.size(), &memory, &size,
                                    &layer.stats));
    layer.record = OwnedBytes(memory, size);
    return layer;
  }
  // Into the caller's memory, of which at most bound() is needed: the part that was written.
  std::span<std::uint8_t> encode_layer(wcodec_dtype dtype, std::uint64_t rows, std::uint64_t cols,
                                       std::span<const std::uint8_t> elements, std::span<std::uint8_t> record,
                                       wcodec_stats* stats = nullptr) const {
    std::size_t size = 0;
    check(wcodec_encode_layer(handle_.get(), dtype, rows, cols, elements.data(), elements.size(), record.data(),
                              record.size(), &size, stats));
    return record.first(size);
  }
  std::size_t bound(wcodec_dtype dtype, std::uint64_t rows, std::uint64_t cols) const {
    std::size_t size = 0;
    check(wcodec_encode_bound(handle_.get(), dtype, rows, cols, &size));
    return size;
  }

 private:
  struct Destroy {
    void operator()(wcodec_encoder* encoder) const noexcept { wcodec_encoder_destroy(encoder); }
  };
  std::unique_ptr<wcodec_encoder, Destroy> handle_;
};

struct DecodedLayer {
  OwnedBytes elements;
  wcodec_record_info info{};
  wcodec_stats stats{};
};

// Records to layers. May be used by many threads at once.
class Decoder {
 public:
  explicit Decoder(const Options& options = {}) {
    wcodec_decoder* made = nullptr;
    check(wcodec_decoder_create(options.get(), &made));
    handle_.reset(made);
  }
  DecodedLayer decode_layer(std::span<const std::uint8_t> record) const {
    void* memory = nullptr;
    std::size_t size = 0;
    DecodedLayer layer;
    layer.info.struct_size = sizeof layer.info;
    layer.stats.struct_size = sizeof layer.stats;
    check(wcodec_decode_layer_alloc(handle_.get(), record.data(), record.size(), &memory, &size, &layer.info,
                                    &layer.stats));
    layer.elements = OwnedBytes(memory, size);
    return layer;
  }
  // Into the caller's memory, of exactly describe(record).decoded_bytes.
  wcodec_stats decode_layer(std::span<const std::uint8_t> record, std::span<std::uint8_t> elements) const {
    wcodec_stats stats{};
    stats.struct_size = sizeof stats;
    check(wcodec_decode_layer(handle_.get(), record.data(), record.size(), elements.data(), elements.size(), nullptr,
                              &stats));
    return stats;
  }

 private:
  struct Destroy {
    void operator()(wcodec_decoder* decoder) const noexcept { wcodec_decoder_destroy(decoder); }
  };
  std::unique_ptr<wcodec_decoder, Destroy> handle_;
};

struct ProgressiveRecord {
  OwnedBytes record;
  std::vector<std::uint64_t> prefix_bytes;  // that the first k planes take, k = 0 … all planes
  wcodec_stats stats{};
};
struct ProgressiveLayer {
  OwnedBytes elements;
  wcodec_progressive_info info{};
};

// One layer by bit planes: see wcodec_encode_progressive_alloc.
inline ProgressiveLayer decode_progressive(std::span<const std::uint8_t> prefix, int planes = -1,
                                           const Options& options = {}) {
  void* memory = nullptr;
  std::size_t size = 0;
  ProgressiveLayer layer;
  layer.info.struct_size = sizeof layer.info;
  check(wcodec_decode_progressive_alloc(options.get(), prefix.data(), prefix.size(), planes, &memory, &size,
                                        &layer.info));
  layer.elements = OwnedBytes(memory, size);
  return layer;
}
inline ProgressiveRecord encode_progressive(wcodec_dtype dtype, std::uint64_t rows, std::uint64_t cols,
                                            std::span<const std::uint8_t> elements, const Options& options = {}) {
  void* memory = nullptr;
  std::size_t size = 0;
  std::uint64_t prefix_bytes[WCODEC_MAX_PLANES + 1];
  ProgressiveRecord out;
  out.stats.struct_size = sizeof out.stats;
  check(wcodec_encode_progressive_alloc(options.get(), dtype, rows, cols, elements.data(), elements.size(), &memory,
                                        &size, prefix_bytes, &out.stats));
  out.record = OwnedBytes(memory, size);
  out.prefix_bytes.push_back(prefix_bytes[0]);
  for (int k = 1; k <= WCODEC_MAX_PLANES && prefix_bytes[k] != prefix_bytes[k - 1]; ++k)
    out.prefix_bytes.push_back(prefix_bytes[k]);
  return out;
}

// Bytes done, of how many, and the layer: false asks to stop, and so does an exception, which comes out at the caller.
using Progress = std::function<bool(std::uint64_t, std::uint64_t, std::string_view)>;

namespace detail {

// Carries a callback, and what it throws, through the C interface.
struct Relay {
  const Progress* progress;
  std::exception_ptr thrown;

  static int call(void* user, std::uint64_t done, std::uint64_t total, const char* layer) noexcept {
    auto& relay = *static_cast<Relay*>(user);
    try {
      return (*relay.progress)(done, total, layer) ? 0 : 1;
    } catch (...) {
      relay.thrown = std::current_exception();
      return 1;
    }
  }
  void check(wcodec_status status) const {
    if (thrown) std::rethrow_exception(thrown);
    api::check(status);
  }
};

}  // namespace detail

inline wcodec_stats encode_checkpoint(const std::string& source, const std::string& destination,
                                      const Options& options = {}, const Progress& progress = {}) {
  wcodec_stats stats{};
  stats.struct_size = sizeof stats;
  detail::Relay relay{&progress, {}};
  relay.check(wcodec_encode_checkpoint(source.c_str(), destination.c_str(), options.get(),
                                       progress ? &detail::Relay::call : nullptr, &relay, &stats));
  return stats;
}

inline wcodec_stats decode_checkpoint(const std::string& source, const std::string& destination,
                                      const Options& options = {}, const Progress& progress = {}) {
  wcodec_stats stats{};
  stats.struct_size = sizeof stats;
  detail::Relay relay{&progress, {}};
  relay.check(wcodec_decode_checkpoint(source.c_str(), destination.c_str(), options.get(),
                                       progress ? &detail::Relay::call : nullptr, &relay, &stats));
  return stats;
}

struct Comparison {
  std::string layer, problem;
  std::uint64_t weights = 0, different = 0;
  double max_difference = 0;
};
struct Verification {
  bool equal = false;
  std::vector<Comparison> layers;
};

inline Verification verify_checkpoints(const std::string& a, const std::string& b, const Options& options = {},
                                       const Progress& progress = {}) {
  struct Context : detail::Relay {
    Verification found;
  } context{{&progress, {}}, {}};
  const auto compared = [](void* user, const wcodec_comparison* c) {
    auto& all = *static_cast<Context*>(static_cast<detail::Relay*>(user));
    try {
      all.found.layers.push_back({c->layer, c->problem, c->weights, c->different, c->max_difference});
    } catch (...) {
      all.thrown = std::current_exception();
    }
  };
  int equal = 0;
  context.check(wcodec_verify_checkpoints(a.c_str(), b.c_str(), options.get(),
                                          progress ? &detail::Relay::call : nullptr, compared,
                                          static_cast<detail::Relay*>(&context), &equal));
  context.check(WCODEC_OK);
  context.found.equal = equal != 0;
  return std::move(context.found);
}

// See wcodec_encode_progressive_checkpoint.
inline wcodec_stats encode_progressive_checkpoint(const std::string& source, const std::string& destination,
                                                  const Options& options = {}, const Progress& progress = {}) {
  wcodec_stats stats{};
  stats.struct_size = sizeof stats;
  detail::Relay relay{&progress, {}};
  relay.check(wcodec_encode_progressive_checkpoint(source.c_str(), destination.c_str(), options.get(),
                                                   progress ? &detail::Relay::call : nullptr, &relay, &stats));
  return stats;
}

struct LayerPlanes {
  std::string layer;
  std::uint32_t planes = 0, all_planes = 0, bound = 0;
  double value_bound = 0;
};

// How good each layer of the file is that was written.
inline std::vector<LayerPlanes> decode_progressive_checkpoint(const std::string& source, const std::string& destination,
                                                              int planes = -1, const Options& options = {},
                                                              const Progress& progress = {}) {
  struct Context : detail::Relay {
    std::vector<LayerPlanes> layers;
  } context{{&progress, {}}, {}};
  const auto decoded = [](void* user, const wcodec_progressive_layer* l) {
    auto& all = *static_cast<Context*>(static_cast<detail::Relay*>(user));
    try {
      all.layers.push_back({l->layer, l->planes, l->all_planes, l->bound, l->value_bound});
    } catch (...) {
      all.thrown = std::current_exception();
    }
  };
  context.check(wcodec_decode_progressive_checkpoint(source.c_str(), destination.c_str(), planes, options.get(),
                                                     progress ? &detail::Relay::call : nullptr, decoded,
                                                     static_cast<detail::Relay*>(&context)));
  context.check(WCODEC_OK);
  return std::move(context.layers);
}

inline int gpu_count() noexcept { return wcodec_gpu_count(); }
inline std::string gpu_reason() { return wcodec_gpu_reason(); }  // why there is none
inline wcodec_gpu_info describe_gpu(int gpu) {
  wcodec_gpu_info info{};
  info.struct_size = sizeof info;
  check(wcodec_gpu_describe(gpu, &info));
  return info;
}

// A record made ready for a GPU: the steps are in wcodec.h. Pointers are of GPU memory, streams cudaStream_t.
class GpuPlan {
 public:
  explicit GpuPlan(std::span<const std::uint8_t> record, const Options& options = {}) {
    wcodec_gpu_plan* made = nullptr;
    check(wcodec_gpu_plan_create(record.data(), record.size(), options.get(), &made));
    handle_.reset(made);
    info_.struct_size = sizeof info_;
    check(wcodec_gpu_plan_describe(made, &info_));
  }
  const wcodec_gpu_plan_info& info() const noexcept { return info_; }
  std::span<const std::uint8_t> image() const noexcept {
    const void* image = wcodec_gpu_plan_image(handle_.get());
    return {static_cast<const std::uint8_t*>(image),
            image == nullptr ? 0 : static_cast<std::size_t>(info_.image_bytes)};
  }
  void drop_image() noexcept { wcodec_gpu_plan_drop_image(handle_.get()); }
  void upload(void* image, void* stream) const { check(wcodec_gpu_upload(handle_.get(), image, stream)); }
  // Neither allocates nor waits, but where it throws.
  void decode(const void* image, void* elements, void* scratch, std::uint64_t* status, void* stream) const {
    check(wcodec_gpu_decode(handle_.get(), image, elements, scratch, status, stream));
  }
  // Throws what decoding on the CPU would have thrown.
  static void check_status(std::uint64_t status) { check(wcodec_gpu_check(status)); }

 private:
  struct Destroy {
    void operator()(wcodec_gpu_plan* plan) const noexcept { wcodec_gpu_plan_destroy(plan); }
  };
  std::unique_ptr<wcodec_gpu_plan, Destroy> handle_;
  wcodec_gpu_plan_info info_{};
};

// An open container. Reading may be done by many threads at once.
class Reader {
 public:
  explicit Reader(const std::string& path, const Options& options = {}) {
    wcodec_reader* made = nullptr;
    check(wcodec_reader_open(path.c_str(), options.get(), &made));
    handle_.reset(made);
  }
  std::size_t size() const noexcept { return wcodec_reader_layer_count(handle_.get()); }
  // Names and texts in it live as long as the reader.
  wcodec_layer_info layer(std::size_t index) const {
    wcodec_layer_info info{};
    info.struct_size = sizeof info;
    check(wcodec_reader_layer(handle_.get(), index, &info));
    return info;
  }
  std::size_t find(std::string_view name) const {
    std::size_t index = 0;
    check(wcodec_reader_find(handle_.get(), name.data(), name.size(), &index));
    return index;
  }
  // `elements` has count · cols · wcodec_dtype_size(dtype) bytes.
  void read_rows(std::size_t index, std::uint64_t first, std::uint64_t count, std::span<std::uint8_t> elements) const {
    check(wcodec_reader_read_rows(handle_.get(), index, first, count, elements.data(), elements.size()));
  }
  // To the memory of GPUs: see wcodec_reader_load.
  wcodec_gpu_stats load(std::span<const wcodec_gpu_target> targets, const Options& options = {},
                        const Progress& progress = {}) const {
    wcodec_gpu_stats stats{};
    stats.struct_size = sizeof stats;
    detail::Relay relay{&progress, {}};
    relay.check(wcodec_reader_load(handle_.get(), targets.data(), targets.size(), options.get(),
                                   progress ? &detail::Relay::call : nullptr, &relay, &stats));
    return stats;
  }
  // The GPU of each layer, 0 … gpus − 1, where they share by ranges.
  std::vector<int> split(int gpus) const {
    std::vector<int> gpu_of_layer(size());
    check(wcodec_reader_split(handle_.get(), gpus, gpu_of_layer.data()));
    return gpu_of_layer;
  }
  wcodec_stats stats() const {
    wcodec_stats stats{};
    stats.struct_size = sizeof stats;
    check(wcodec_reader_stats(handle_.get(), &stats));
    return stats;
  }
  std::string model_name() const { return wcodec_reader_model_name(handle_.get()); }
  std::vector<std::pair<std::string, std::string>> metadata() const {
    struct Collected {
      std::vector<std::pair<std::string, std::string>> entries;
      std::exception_ptr thrown;
    } collected;
    const auto each = [](void* user, const char* key, std::size_t key_size, const char* value, std::size_t size) {
      auto& all = *static_cast<Collected*>(user);
      try {
        all.entries.emplace_back(std::string(key, key_size), std::string(value, size));
      } catch (...) {
        all.thrown = std::current_exception();
      }
    };
    check(wcodec_reader_metadata(handle_.get(), each, &collected));
    if (collected.thrown) std::rethrow_exception(collected.thrown);
    return std::move(collected.entries);
  }

 private:
  struct Close {
    void operator()(wcodec_reader* reader) const noexcept { wcodec_reader_close(reader); }
  };
  std::unique_ptr<wcodec_reader, Close> handle_;
};

}  // namespace wcodec::api
