// The C interface (wcodec.h) with C++ manners: handles that close themselves, spans, exceptions. Header-only, C++20;
// link libwcodec. Everything said in wcodec.h about shapes, threads and stability holds here too.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

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

}  // namespace wcodec::api
