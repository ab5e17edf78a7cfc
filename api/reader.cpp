// Single layers of a container: the C interface of codec/container_reader.hpp.
#include "api/reader.hpp"

#include <fmt/format.h>

#include "api/options.hpp"
#include "api/stats.hpp"
#include "api/status.hpp"

using namespace wcodec;

namespace {

const TensorInfo& tensor_at(const wcodec_reader* reader, std::size_t index) {
  const auto& tensors = reader->container->tensors();
  if (index >= tensors.size()) {
    throw Error(ErrorKind::usage,
                fmt::format("{}: there is no layer {} of {}", printable(reader->path), index, tensors.size()));
  }
  return tensors[index];
}

}  // namespace

const char* wcodec::api::path_of(const wcodec_reader* reader) noexcept {
  return reader == nullptr ? nullptr : reader->path.c_str();
}

int wcodec_is_container(const char* path) {
  int answer = 0;
  const wcodec_status status = api::guarded([&] {
    api::require(path, "path");
    answer = is_container(path) ? 1 : 0;
  });
  return status == WCODEC_OK ? answer : 0;
}

wcodec_status wcodec_reader_open(const char* path, const wcodec_options* options, wcodec_reader** reader) {
  return api::guarded(
      [&] {
        api::require(path, "path");
        api::require(reader, "reader");
        const wcodec_options& chosen = api::or_defaults(options);
        auto made = std::make_unique<wcodec_reader>();
        made->path = path;
        made->container = ContainerReader::open(path, {chosen.max_tensor_bytes, chosen.max_part_weights},
                                                api::record_decoder(chosen));
        const auto& layers = made->container->layers();
        const auto& tensors = made->container->tensors();
        made->source_of.resize(tensors.size());
        for (std::size_t i = 0; i < layers.size(); ++i) {
          for (std::size_t plane = 0; plane < layers[i].planes; ++plane) made->source_of[layers[i].tensor + plane] = i;
        }
        for (std::size_t i = 0; i < tensors.size(); ++i) made->by_name.emplace(tensors[i].name, i);
        *reader = made.release();
      },
      path);
}

void wcodec_reader_close(wcodec_reader* reader) { delete reader; }

size_t wcodec_reader_layer_count(const wcodec_reader* reader) {
  return reader == nullptr ? 0 : reader->container->tensors().size();
}

wcodec_status wcodec_reader_layer(const wcodec_reader* reader, size_t index, wcodec_layer_info* info) {
  return api::guarded(
      [&] {
        api::require(reader, "reader");
        api::require(info, "info");
        api::check_struct(info, "info");
        const TensorInfo& tensor = tensor_at(reader, index);
        const LayerInfo& source = reader->container->layers()[reader->source_of[index]];
        wcodec_layer_info out{};
        out.name = tensor.name.c_str();
        out.name_size = tensor.name.size();
        out.dtype = static_cast<wcodec_dtype>(tensor.dtype);
        out.rows = static_cast<u64>(tensor.rows);
        out.cols = static_cast<u64>(tensor.cols);
        out.shape = tensor.shape.data();
        out.dimensions = tensor.shape.size();
        out.decoded_bytes = tensor.memory_bytes();
        out.rows_per_part = static_cast<u64>(reader->container->rows_per_part(index));
        out.source_tensor = reader->source_of[index];
        out.source_type = source.source_type.c_str();
        out.stages = source.stages.c_str();
        out.source_bytes = source.source_bytes;
        out.encoded_bytes = source.coded_bytes;
        api::fill_struct(info, out);
      },
      api::path_of(reader));
}

wcodec_status wcodec_reader_find(const wcodec_reader* reader, const char* name, size_t name_size, size_t* index) {
  return api::guarded(
      [&] {
        api::require(reader, "reader");
        api::require(name, "name");
        api::require(index, "index");
        const auto found = reader->by_name.find(sv(name, name_size));
        if (found == reader->by_name.end()) {
          const std::string shown = printable(sv(name, name_size));
          throw Error(ErrorKind::not_found, fmt::format("{}: there is no layer '{}'", printable(reader->path), shown),
                      {reader->path, shown, -1});
        }
        *index = found->second;
      },
      api::path_of(reader));
}

wcodec_status wcodec_reader_read_rows(const wcodec_reader* reader, size_t index, uint64_t first, uint64_t count,
                                      void* elements, size_t size) {
  return api::guarded(
      [&] {
        api::require(reader, "reader");
        const TensorInfo& tensor = tensor_at(reader, index);
        const u64 rows = static_cast<u64>(tensor.rows);
        const auto refuse = [&](const std::string& what) {
          const std::string name = printable(tensor.name);
          throw Error(ErrorKind::usage, fmt::format("{}: layer '{}': {}", printable(reader->path), name, what),
                      {reader->path, name, -1});
        };
        if (first > rows || count > rows - first)
          refuse(fmt::format("{} rows from row {} on are not in its {}", count, first, rows));
        // Not above the layer's memory, which has been checked to be countable.
        const u64 bytes = count * static_cast<u64>(tensor.cols) * static_cast<u64>(info(tensor.dtype).memory_bytes);
        if (size != bytes) refuse(fmt::format("{} rows take {} bytes, not {}", count, bytes, size));
        if (size == 0) return;
        api::require(elements, "elements");
        reader->container->read_rows(index, static_cast<i64>(first), static_cast<i64>(count),
                                     MutBytes(static_cast<u8*>(elements), size));
      },
      api::path_of(reader));
}

wcodec_status wcodec_reader_stats(const wcodec_reader* reader, wcodec_stats* stats) {
  return api::guarded(
      [&] {
        api::require(reader, "reader");
        api::require(stats, "stats");
        api::check_struct(stats, "stats");
        const ContainerReader& container = *reader->container;
        wcodec_stats out{};
        out.source_bytes = container.source_bytes();
        out.encoded_bytes = container.container_bytes();
        for (const LayerInfo& layer : container.layers()) {
          out.weights += layer.weights;
          out.tensor_bytes += layer.source_bytes;
          out.parts += layer.parts;
        }
        out.layers = container.layers().size();
        api::put_ledger(container.ledger(), out);
        out.files = container.source_files().size();
        api::fill_struct(stats, out);
      },
      api::path_of(reader));
}

const char* wcodec_reader_model_name(const wcodec_reader* reader) {
  return reader == nullptr ? "" : reader->container->model_name().c_str();
}

wcodec_status wcodec_reader_metadata(const wcodec_reader* reader, wcodec_metadata each, void* user) {
  return api::guarded(
      [&] {
        api::require(reader, "reader");
        if (each == nullptr) throw Error(ErrorKind::usage, "each is NULL");
        for (std::size_t file = 0; file < reader->container->source_files().size(); ++file) {
          for (const auto& [key, value] : reader->container->metadata(file))
            each(user, key.data(), key.size(), value.data(), value.size());
        }
      },
      api::path_of(reader));
}
