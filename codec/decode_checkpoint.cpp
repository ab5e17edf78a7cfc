#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>

#include "codec/checkpoint_codec.hpp"
#include "codec/container_file.hpp"
#include "codec/container_part.hpp"
#include "codec/raw_bytes.hpp"
#include "codec/record_decoder.hpp"
#include "core/error.hpp"
#include "core/ordered_parallel.hpp"
#include "core/output_file.hpp"
#include "core/sources/describe.hpp"

namespace wcodec {
namespace {

using container::FileEntry;
using container::LayerEntry;

class Decoder {
 public:
  Decoder(const std::string& source, const DecodeOptions& options)
      : options_(options),
        begun_(std::chrono::steady_clock::now()),
        gpu_(options.gpu != nullptr ? *options.gpu : gpu_runtime()),
        device_(choose_device(options.device, gpu_)),
        decoder_(make_record_decoder(device_, thread_count(options.threads) + 2, gpu_)),
        opened_(container::open_container(source, {options.max_part_weights})),
        total_bytes_(opened_.index.source_bytes()) {
    if (total_bytes_ > options.max_output_bytes) {
      throw Error(ErrorKind::limit, fmt::format("{}: says that it holds {} bytes, above the limit of {}; raise the "
                                                "limit to decode it",
                                                opened_.file.shown(), total_bytes_, options.max_output_bytes));
    }
  }

  CodecStats check() {
    for (const FileEntry& file : opened_.index.files) copy_file(file, [](Bytes) {});
    check_end();
    return stats();
  }

  CodecStats run(const std::string& destination) {
    const auto& files = opened_.index.files;
    if (files.size() == 1) {
      OutputFile output(destination, options_.overwrite);
      copy_file(files[0], [&](Bytes bytes) { output.append(bytes); });
      check_end();
      output.commit();
      return stats();
    }
    OutputDirectory directory(destination);
    for (const FileEntry& file : files) {
      OutputFile output(directory.file(file.name), false);
      copy_file(file, [&](Bytes bytes) { output.append(bytes); });
      output.commit();
    }
    check_end();
    directory.commit();
    return stats();
  }

 private:
  struct PlannedPart {
    u64 layer, part;
  };

  using Sink = std::function<void(Bytes)>;

  // The bytes of a source file, in order.
  void copy_file(const FileEntry& file, const Sink& sink) {
    RawUnpacker raw(opened_.file, file);
    std::vector<PlannedPart> parts;
    for (u64 i = file.first_layer; i < file.first_layer + file.layers; ++i) {
      for (u64 part = 0; part < layer(i).part_count(); ++part) parts.push_back({i, part});
    }
    u64 next_layer = file.first_layer;  // whose gap is to be written
    const auto advance = [&](u64 end) {
      for (; next_layer < end; ++next_layer) copy_raw(raw, layer(next_layer).gap_bytes, sink, file.name);
    };
    ordered_parallel(
        parts.size(), {options_.threads, options_.memory_bytes},
        [&](u64 item) { return decode_memory(layer(parts[item].layer), parts[item].part); },
        [&](u64 item) { return read_part(opened_.file, layer(parts[item].layer), parts[item].part, decoder_.get()); },
        [&](u64 item, const std::vector<u8>& bytes) {
          const PlannedPart& part = parts[item];
          const LayerEntry& entry = layer(part.layer);
          if (part.part == 0) check_place(entry.offset);
          end_ = entry.parts[part.part].offset + entry.parts[part.part].bytes;
          advance(part.layer + 1);
          sink(bytes);
          progress(bytes.size(), entry.name);
        });
    advance(file.first_layer + file.layers);
    copy_raw(raw, file.tail_bytes, sink, file.name);
    raw.finish();
    if (file.raw_bytes != 0) {
      check_place(file.raw_offset);
      end_ = file.raw_offset + file.raw_coded_bytes;
    }
  }

  const LayerEntry& layer(u64 number) const { return opened_.index.layers[number]; }

  void copy_raw(RawUnpacker& raw, u64 bytes, const Sink& sink, sv name) {
    std::vector<u8> window;
    for (u64 left = bytes; left != 0; left -= window.size()) {
      window.resize(std::min<u64>(left, u64{1} << 18));
      raw.read(window);
      sink(window);
      progress(window.size(), name);
    }
  }

  // Every byte of the container is checked: what no checksum covers is padding.
  void check_place(u64 offset) const { container::check_padding(opened_.file, end_, offset); }
  void check_end() const { check_place(container::aligned(end_)); }

  void progress(u64 bytes, sv name) {
    done_bytes_ += bytes;
    if (options_.progress && !options_.progress({done_bytes_, total_bytes_, name})) {
      throw Error(ErrorKind::cancelled, "stopped as asked; nothing was written");
    }
  }

  CodecStats stats() const {
    CodecStats stats;
    stats.source_bytes = total_bytes_;
    stats.container_bytes = opened_.file.size();
    stats.files = opened_.index.files.size();
    stats.layers = opened_.index.layers.size();
    for (const LayerEntry& entry : opened_.index.layers) {
      stats.tensor_bytes += entry.source_bytes;
      stats.parts += entry.part_count();
      stats.weights += entry.elements / entry.packing.unit_elements() * entry.packing.most_per_unit();
    }
    stats.ledger = opened_.ledger;
    const DecoderCounts counts = decoder_->counts();
    stats.device = device_.name();
    stats.gpu_records = counts.gpu_records;
    stats.cpu_records = counts.cpu_records;
    stats.note = device_.note.empty() ? counts.note : device_.note;
    stats.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count();
    return stats;
  }

  const DecodeOptions& options_;
  std::chrono::steady_clock::time_point begun_;
  const GpuRuntime& gpu_;
  Device device_;
  std::unique_ptr<RecordDecoder> decoder_;
  container::ContainerFile opened_;
  u64 total_bytes_ = 0, done_bytes_ = 0;
  u64 end_ = container::kHeaderBytes;  // of what has been read of the container
};

}  // namespace

CodecStats decode_checkpoint(const std::string& source, const std::string& destination, const DecodeOptions& options) {
  return Decoder(source, options).run(destination);
}

CodecStats check_container(const std::string& source, const DecodeOptions& options) {
  return Decoder(source, options).check();
}

}  // namespace wcodec
