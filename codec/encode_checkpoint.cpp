#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <optional>
#include <unordered_map>

#include "codec/checkpoint_codec.hpp"
#include "codec/container_part.hpp"
#include "codec/raw_bytes.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/ordered_parallel.hpp"
#include "core/output_file.hpp"
#include "core/sources/describe.hpp"

namespace wcodec {
namespace {

using container::ContainerIndex;
using container::FileEntry;
using container::LayerEntry;

// Limits of the reader's own defaults: a container that nobody can open by default is not written.
constexpr u64 kMaxPartWeights = u64{1} << 26;
constexpr u64 kBytesAWeight = 4;  // of a part, on average at most

Packing packing_of(const PlacedTensor& tensor) {
  if (tensor.gguf != nullptr) return Packing::gguf(*tensor.gguf);
  if (tensor.view) return Packing::view(*tensor.view, tensor.dtype);
  return Packing::plain(tensor.dtype);
}

// Parts of whole rows where a row fits into one, all of about the same size, so that none pays for tables of its own
// without having the weights to share them.
u64 part_elements(const LayerEntry& layer, u64 part_weights) {
  const Packing& packing = layer.packing;
  const u64 unit = packing.unit_elements();
  const u64 most_units = std::max<u64>(
      1, std::min(part_weights / packing.most_per_unit(), part_weights * kBytesAWeight / packing.unit_bytes()));
  if (layer.elements == 0) return 0;
  const auto cols = static_cast<u64>(layer.cols);
  const u64 step = cols <= most_units * unit ? cols : unit;  // what parts are multiples of
  const u64 steps = layer.elements / step, most_steps = most_units * unit / step;
  const u64 parts = (steps + most_steps - 1) / most_steps;
  return std::min((steps + parts - 1) / parts * step, layer.elements);
}

struct PlannedPart {
  u32 layer, part;
};

class Encoder {
 public:
  Encoder(const std::string& source, const std::string& destination, const EncodeOptions& options)
      : options_(options), begun_(std::chrono::steady_clock::now()) {
    if (options.part_weights == 0 || options.part_weights > kMaxPartWeights) {
      throw Error(ErrorKind::usage,
                  fmt::format("parts of {} weights: give from 1 to {}", options.part_weights, kMaxPartWeights));
    }
    OpenOptions open;
    open.views = options.views;
    placed_ = source_layout(source, open);
    std::error_code ignored;
    for (const PlacedFile& file : placed_) {
      if (std::filesystem::equivalent(file.path, destination, ignored)) {
        throw Error(ErrorKind::usage,
                    fmt::format("{}: is the source itself; give another destination", printable(destination)));
      }
    }
    index_.model_name = options.model_name;
    for (const PlacedFile& file : placed_) plan_file(file);
    output_.emplace(destination, options.overwrite);
  }

  CodecStats run() {
    write(container::header_bytes(), LedgerEntry::header);
    ParallelLimits limits{options_.threads, options_.memory_bytes};
    ordered_parallel(
        parts_.size(), limits,
        [&](u64 item) { return encode_memory(index_.layers[parts_[item].layer], parts_[item].part); },
        [&](u64 item) { return encode(parts_[item]); }, [&](u64 item, EncodedPart& part) { put(parts_[item], part); });
    finish_files(index_.files.size());
    return write_end();
  }

 private:
  void plan_file(const PlacedFile& placed) {
    files_.emplace_back(placed.path);
    if (files_.back().size() != placed.bytes) {
      throw Error(ErrorKind::io, fmt::format("{}: changes while it is read", files_.back().shown()));
    }
    FileEntry& file = index_.files.emplace_back();
    file.name = std::filesystem::path(placed.path).filename().string();
    file.bytes = placed.bytes;
    file.first_layer = index_.layers.size();
    file.layers = placed.tensors.size();
    u64 at = 0;
    for (const PlacedTensor& tensor : placed.tensors) {
      plan_layer_of(tensor, at, index_.files.size() - 1);
      at = tensor.offset + tensor.bytes;
      file.raw_bytes += index_.layers.back().gap_bytes;
    }
    file.tail_bytes = placed.bytes - at;
    file.raw_bytes += file.tail_bytes;
    total_bytes_ += placed.bytes;
  }

  void plan_layer_of(const PlacedTensor& tensor, u64 at, std::size_t file) {
    LayerEntry& layer = index_.layers.emplace_back();
    layer.name = tensor.name;
    layer.dtype = tensor.dtype;
    layer.shape = tensor.shape;
    layer.packing = packing_of(tensor);
    layer.gap_bytes = tensor.offset - at;
    if (!container::derive_sizes(layer) || layer.source_bytes != tensor.bytes) {
      throw Error(ErrorKind::internal, fmt::format("layer '{}' has an impossible size", shown_name(layer.name)));
    }
    layer.part_elements = part_elements(layer, options_.part_weights);
    places_.emplace_back(file, tensor.offset);
    std::vector<LayerPlan>& plans = plans_.emplace_back();
    std::string stages;
    for (std::size_t plane = 0; plane < layer.packing.planes().size(); ++plane) {
      plans.push_back(plan_layer(plane_info(layer, plane), options_));
      const std::string& text = plans.back().name;
      if (stages.empty()) {
        stages = text;
      } else if (stages.find(text) == std::string::npos) {
        stages += " | " + text;
      }
    }
    const auto [it, is_new] = stages_.try_emplace(stages, index_.stages.size());
    if (is_new) index_.stages.push_back(stages);
    layer.stages = it->second;
    for (u64 part = 0; part < layer.part_count(); ++part) {
      parts_.push_back({static_cast<u32>(index_.layers.size() - 1), static_cast<u32>(part)});
    }
  }

  // A plane of the whole layer, as the stages' choice sees it.
  static TensorInfo plane_info(const LayerEntry& layer, std::size_t plane) {
    const PackedPlane& packed = layer.packing.planes()[plane];
    std::vector<i64> shape = layer.shape;
    if (!shape.empty()) {
      shape.back() = shape.back() / static_cast<i64>(layer.packing.unit_elements()) * static_cast<i64>(packed.per_unit);
    }
    return describe_tensor(layer.name + std::string(packed.suffix), packed.dtype, std::move(shape), layer.source_bytes,
                           std::string(info(layer.dtype).name));
  }

  EncodedPart encode(const PlannedPart& item) const {
    const LayerEntry& layer = index_.layers[item.layer];
    const auto& [file, offset] = places_[item.layer];
    std::vector<u8> source(layer.source_bytes_of(item.part));
    const u64 before = item.part * layer.part_elements / layer.packing.unit_elements() * layer.packing.unit_bytes();
    files_[file].read_at(offset + before, source);
    return encode_part(layer, item.part, plans_[item.layer], source, options_.verify);
  }

  void write(Bytes bytes, LedgerEntry entry) {
    output_->append(bytes);
    ledger_[entry] += bytes.size();
  }
  void pad(u64 offset) {
    static constexpr u8 kZeros[container::kAlignment] = {};
    write(Bytes(kZeros, offset - output_->size()), LedgerEntry::padding);
  }

  void put(const PlannedPart& item, EncodedPart& part) {
    LayerEntry& layer = index_.layers[item.layer];
    if (item.part == 0) {
      finish_files(places_[item.layer].first);
      u64 bytes = 0;
      for (const auto& record : part.records) bytes += record.size();
      pad(container::layer_start(output_->size(), layer.part_count(), bytes));
      layer.offset = output_->size();
    }
    container::PartEntry& entry = layer.parts.emplace_back();
    entry.offset = output_->size();
    entry.source_crc = part.source_crc;
    for (const auto& record : part.records) {
      u32 crc = 0;
      std::memcpy(&crc, record.data() + record.size() - sizeof crc, sizeof crc);
      layer.records.push_back({record.size(), crc});
      entry.bytes += record.size();
      output_->append(record);
    }
    index_.records += part.ledger;
    progress(layer.source_bytes_of(item.part), layer.name);
  }

  // Raw bytes of the files before `file` follow their layers.
  void finish_files(std::size_t file) {
    for (; finished_files_ < file; ++finished_files_) put_raw(finished_files_);
  }
  void put_raw(std::size_t number) {
    FileEntry& file = index_.files[number];
    RawPacker packer(file.raw_bytes);
    u64 at = 0;
    std::vector<u8> window;
    const auto take = [&](u64 bytes) {
      for (u64 left = bytes; left != 0; left -= window.size(), at += window.size()) {
        window.resize(std::min<u64>(left, u64{1} << 18));
        files_[number].read_at(at, window);
        packer.append(window);
      }
    };
    for (u64 i = file.first_layer; i < file.first_layer + file.layers; ++i) {
      take(index_.layers[i].gap_bytes);
      at += index_.layers[i].source_bytes;
    }
    take(file.tail_bytes);
    const std::vector<u8> bytes = packer.finish(file);
    if (file.raw_bytes == 0) return;
    file.raw_offset = output_->size();
    write(bytes, LedgerEntry::header);
    progress(file.raw_bytes, file.name);
  }

  CodecStats write_end() {
    const u64 offset = container::aligned(output_->size());
    pad(offset);
    const std::vector<u8> index = container::index_bytes(index_);
    if (index.size() > container::kMaxIndexBytes) {
      throw Error(ErrorKind::limit, fmt::format("the index takes {} bytes, more than {}; use larger parts",
                                                index.size(), container::kMaxIndexBytes));
    }
    write(index, LedgerEntry::index);
    write(container::footer_bytes(offset, index), LedgerEntry::header);
    // Checksums of header, index and footer are booked as such.
    constexpr u64 kChecksums = 3 * sizeof(u32);
    ledger_[LedgerEntry::header] -= kChecksums;
    ledger_[LedgerEntry::crc] += kChecksums;

    CodecStats stats;
    stats.container_bytes = output_->size();
    stats.source_bytes = total_bytes_;
    stats.layers = index_.layers.size();
    stats.parts = parts_.size();
    stats.files = index_.files.size();
    for (const LayerEntry& layer : index_.layers) {
      stats.tensor_bytes += layer.source_bytes;
      stats.weights += layer.elements / layer.packing.unit_elements() * layer.packing.most_per_unit();
    }
    stats.ledger = ledger_;
    stats.ledger += index_.records;
    if (stats.ledger.total() != stats.container_bytes) {
      throw Error(ErrorKind::internal, fmt::format("the ledger has {} bytes, the container {}", stats.ledger.total(),
                                                   stats.container_bytes));
    }
    output_->commit();
    stats.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count();
    return stats;
  }

  void progress(u64 bytes, sv layer) {
    done_bytes_ += bytes;
    if (options_.progress && !options_.progress({done_bytes_, total_bytes_, layer})) {
      throw Error(ErrorKind::cancelled, "stopped as asked; nothing was written");
    }
  }

  const EncodeOptions& options_;
  std::chrono::steady_clock::time_point begun_;
  std::vector<PlacedFile> placed_;
  std::vector<File> files_;
  ContainerIndex index_;
  std::vector<std::pair<std::size_t, u64>> places_;  // of each layer: its file, and where it begins there
  std::vector<std::vector<LayerPlan>> plans_;        // of each layer, one a plane
  std::unordered_map<std::string, u64> stages_;
  std::vector<PlannedPart> parts_;
  std::optional<OutputFile> output_;
  std::size_t finished_files_ = 0;
  u64 done_bytes_ = 0, total_bytes_ = 0;
  Ledger ledger_;  // of what the container adds to its records
};

}  // namespace

CodecStats encode_checkpoint(const std::string& source, const std::string& destination, const EncodeOptions& options) {
  return Encoder(source, destination, options).run();
}

}  // namespace wcodec
