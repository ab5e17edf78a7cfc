#include "codec/container_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <list>
#include <mutex>
#include <unordered_set>

#include "codec/container_file.hpp"
#include "codec/container_part.hpp"
#include "codec/raw_bytes.hpp"
#include "core/error.hpp"
#include "core/sources/describe.hpp"
#include "core/sources/safetensors_header.hpp"
#include "core/sources/view.hpp"

namespace wcodec {

using container::FileEntry;
using container::LayerEntry;

namespace {

// Of decoded parts that are kept: one of the largest, or many small ones.
constexpr u64 kCacheBytes = u64{1} << 24;

}  // namespace

struct ContainerReader::State {
  State(container::ContainerFile file, std::shared_ptr<RecordDecoder> with)
      : opened(std::move(file)), decoder(std::move(with)) {}

  using Values = std::shared_ptr<const std::vector<u8>>;
  struct Cached {
    std::size_t tensor;
    u64 part;
    Values values;
  };

  container::ContainerFile opened;
  std::shared_ptr<RecordDecoder> decoder;
  std::vector<LayerInfo> layers;
  std::vector<SourceFileInfo> files;
  std::vector<Plane> planes;  // of each tensor
  std::mutex mutex;
  std::list<Cached> cache;  // the last used first
  u64 cached_bytes = 0;

  const LayerEntry& layer_of(std::size_t tensor) const { return opened.index.layers[planes[tensor].layer]; }

  // Values of a part as the source's own reader delivers them: elements of the file, or a plane of its blocks.
  Values part(std::size_t tensor, u64 number) {
    {
      const std::lock_guard lock(mutex);
      const auto it = std::find_if(cache.begin(), cache.end(),
                                   [&](const Cached& c) { return c.tensor == tensor && c.part == number; });
      if (it != cache.end()) {
        cache.splice(cache.begin(), cache, it);
        return it->values;
      }
    }
    const LayerEntry& layer = layer_of(tensor);
    auto values = std::make_shared<const std::vector<u8>>(
        layer.packing.kind() == PackingKind::gguf
            ? read_part_plane(opened.file, layer, number, planes[tensor].plane, decoder.get())
            : read_part(opened.file, layer, number, decoder.get()));
    const std::lock_guard lock(mutex);
    cache.push_front({tensor, number, values});
    cached_bytes += values->size();
    while (cached_bytes > kCacheBytes && cache.size() > 1) {
      cached_bytes -= cache.back().values->size();
      cache.pop_back();
    }
    return values;
  }
};

ContainerReader::ContainerReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
ContainerReader::~ContainerReader() = default;

std::unique_ptr<ContainerReader> ContainerReader::open(const std::string& path, const ReadLimits& limits,
                                                       std::shared_ptr<RecordDecoder> decoder) {
  std::unique_ptr<ContainerReader> reader(new ContainerReader(
      std::make_unique<State>(container::open_container(path, {limits.max_part_weights}), std::move(decoder))));
  State& state = *reader->state_;
  const container::ContainerIndex& index = state.opened.index;
  reader->files_.push_back(path);
  std::unordered_set<std::string> names;
  std::size_t file = 0;
  for (std::size_t i = 0; i < index.layers.size(); ++i) {
    const LayerEntry& layer = index.layers[i];
    while (i >= index.files[file].first_layer + index.files[file].layers) ++file;
    const bool blocks = layer.packing.kind() == PackingKind::gguf;
    LayerInfo& row = state.layers.emplace_back();
    row.name = layer.name;
    row.source_type = std::string(blocks ? layer.packing.gguf_type()->name : info(layer.dtype).name);
    row.shape = layer.shape;
    row.weights = layer.elements / layer.packing.unit_elements() * layer.packing.most_per_unit();
    row.source_bytes = layer.source_bytes;
    for (const container::PartEntry& part : layer.parts) row.coded_bytes += part.bytes;
    row.parts = layer.part_count();
    row.stages = index.stages[layer.stages];
    row.file = file;
    row.tensor = reader->tensors_.size();
    row.planes = blocks ? layer.packing.planes().size() : 1;
    for (std::size_t plane = 0; plane < row.planes; ++plane) {
      std::vector<i64> shape = layer.shape;
      std::string name = layer.name;
      DType dtype = layer.dtype;
      u64 bytes = layer.source_bytes;
      if (blocks) {
        const GgufType& type = *layer.packing.gguf_type();
        const GgufPlane& part = type.planes[plane];
        name += part.suffix;
        dtype = part.dtype;
        bytes = layer.source_bytes / static_cast<u64>(type.block_bytes) * static_cast<u64>(part.bits_in_file / 8);
        if (!shape.empty()) shape.back() = shape.back() / type.block * part.per_block;
      }
      TensorInfo tensor = describe_tensor(std::move(name), dtype, std::move(shape), bytes, row.source_type);
      check_tensor_size(path, tensor, limits.max_tensor_bytes);
      if (!names.insert(tensor.name).second) {
        throw Error(ErrorKind::corrupt, fmt::format("{} appears twice", tensor_label(path, tensor.name)));
      }
      reader->tensors_.push_back(std::move(tensor));
      state.planes.push_back({i, plane});
    }
  }
  for (const FileEntry& entry : index.files) {
    state.files.push_back({entry.name, entry.bytes, entry.raw_bytes, entry.raw_coded_bytes});
  }
  return reader;
}

const std::vector<LayerInfo>& ContainerReader::layers() const noexcept { return state_->layers; }
const std::vector<SourceFileInfo>& ContainerReader::source_files() const noexcept { return state_->files; }
const std::string& ContainerReader::model_name() const noexcept { return state_->opened.index.model_name; }
const Ledger& ContainerReader::ledger() const noexcept { return state_->opened.ledger; }
u64 ContainerReader::container_bytes() const noexcept { return state_->opened.file.size(); }
const container::ContainerFile& ContainerReader::opened() const noexcept { return state_->opened; }
ContainerReader::Plane ContainerReader::plane_of(std::size_t tensor) const { return state_->planes.at(tensor); }
u64 ContainerReader::source_bytes() const noexcept { return state_->opened.index.source_bytes(); }

void ContainerReader::read_rows(std::size_t index, i64 first, i64 count, MutBytes out) const {
  const TensorInfo& tensor = tensors_.at(index);
  check_rows(tensor, first, count, out.size());
  if (out.empty()) return;
  const LayerEntry& layer = state_->layer_of(index);
  const auto width = static_cast<u64>(info(tensor.dtype).memory_bytes);
  // Values of this tensor that a part has.
  const u64 per_part = layer.packing.kind() == PackingKind::gguf
                           ? layer.part_elements / layer.packing.unit_elements() *
                                 layer.packing.planes()[state_->planes[index].plane].per_unit
                           : layer.part_elements;
  u64 at = static_cast<u64>(first) * static_cast<u64>(tensor.cols);
  for (std::size_t done = 0; done < out.size();) {
    const auto values = state_->part(index, at / per_part);
    const u64 begin = at % per_part * width;
    if (begin >= values->size()) throw Error(ErrorKind::internal, "a part is shorter than the index says");
    const std::size_t size = std::min<u64>(out.size() - done, values->size() - begin);
    std::memcpy(out.data() + done, values->data() + begin, size);
    done += size;
    at += size / width;
  }
}

i64 ContainerReader::rows_per_part(std::size_t index) const {
  const LayerEntry& layer = state_->layer_of(index);
  return layer.cols == 0 ? 1 : std::max<i64>(1, static_cast<i64>(layer.part_elements) / layer.cols);
}

std::vector<std::pair<std::string, std::string>> ContainerReader::metadata(std::size_t file) const {
  const SourceFileInfo& info = state_->files.at(file);
  if (!info.name.ends_with(".safetensors")) return {};
  return safetensors_metadata(read_raw(file, kMaxSafetensorsHeader), state_->opened.file.shown());
}

std::vector<u8> ContainerReader::read_raw(std::size_t file, u64 max_bytes) const {
  const FileEntry& entry = state_->opened.index.files.at(file);
  if (entry.raw_bytes > max_bytes) {
    throw Error(ErrorKind::limit,
                fmt::format("{}: '{}' has {} bytes outside its tensors, above the limit of {}",
                            state_->opened.file.shown(), shown_name(entry.name), entry.raw_bytes, max_bytes));
  }
  // Grows as bytes come, so that a false size costs nothing.
  std::vector<u8> bytes;
  RawUnpacker raw(state_->opened.file, entry);
  while (bytes.size() < entry.raw_bytes) {
    const std::size_t from = bytes.size();
    bytes.resize(std::min<u64>(entry.raw_bytes, from + (u64{1} << 20)));
    raw.read(MutBytes(bytes).subspan(from));
  }
  raw.finish();
  return bytes;
}

bool is_container(const std::string& path) noexcept {
  try {
    const File file(path);
    u32 magic = 0;
    if (file.size() < sizeof magic) return false;
    file.read_at(0, MutBytes(reinterpret_cast<u8*>(&magic), sizeof magic));
    return magic == container::kMagic;
  } catch (const std::exception&) {
    return false;
  }
}

std::unique_ptr<Checkpoint> open_any_checkpoint(const std::string& address, const OpenOptions& options,
                                                std::shared_ptr<RecordDecoder> decoder) {
  if (!address.ends_with(".wcodec") && !is_container(address)) return open_checkpoint(address, options);
  std::unique_ptr<Checkpoint> checkpoint =
      ContainerReader::open(address, {.max_tensor_bytes = options.max_tensor_bytes}, std::move(decoder));
  if (options.views.empty()) return checkpoint;
  return apply_views(std::move(checkpoint), options.views, options.max_tensor_bytes);
}

}  // namespace wcodec
