// Reading what another has written, perhaps to harm: everything is bounded before it is used.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "codec/container_index.hpp"
#include "codec/format_version.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/sources/describe.hpp"

namespace wcodec::container {
namespace {

class IndexReader {
 public:
  IndexReader(Bytes bytes, u64 index_offset, const IndexLimits& limits, sv file)
      : in_(bytes), end_(index_offset), limits_(limits), file_(file) {}

  ContainerIndex read() {
    out_.model_name = text("model name");
    const u64 stages = count(kMaxStages, "stage descriptions");
    for (u64 i = 0; i < stages; ++i) out_.stages.push_back(text("stage description"));
    for (u64& bytes : out_.records.bytes) bytes = bounded(end_, "ledger");
    const u64 files = count(kMaxFiles, "source files");
    for (u64 i = 0; i < files; ++i) read_file();
    if (files == 0) fail("names no source file");
    check_names();
    if (in_.remaining() != 0) fail(fmt::format("{} bytes are left over", in_.remaining()));
    if (aligned(next_) != end_) {
      fail(fmt::format("layers end at offset {}, the index begins at {}: bytes that belong to nothing", next_, end_));
    }
    if (out_.records.total() != record_bytes_) {
      fail(fmt::format("the ledger has {} bytes, the records {}", out_.records.total(), record_bytes_));
    }
    return std::move(out_);
  }

 private:
  [[noreturn]] void fail(const std::string& what, ErrorKind kind = ErrorKind::corrupt) const {
    throw Error(kind, fmt::format("{}: index: {} (at its byte {})", file_, what, in_.position()));
  }
  [[noreturn]] void fail_layer(const LayerEntry& layer, const std::string& what,
                               ErrorKind kind = ErrorKind::corrupt) const {
    fail(fmt::format("layer '{}' {}", shown_name(layer.name), what), kind);
  }
  // The reader's own errors do not know the file.
  template <class Read>
  auto read_value(Read read) const {
    try {
      return read();
    } catch (const Error& error) {
      throw Error(error.kind(), fmt::format("{}: index: {}", file_, error.what()));
    }
  }
  u64 varint(const char* what) {
    return read_value([&] { return in_.varint(what); });
  }
  template <class T>
  T fixed(const char* what) {
    return read_value([&] { return in_.read<T>(what); });
  }
  u64 bounded(u64 limit, const char* what) {
    const u64 value = varint(what);
    if (value > limit) fail(fmt::format("{} of {} bytes are more than {}", what, value, limit));
    return value;
  }
  // A number of things that take at least a byte each.
  u64 count(u64 limit, const char* what) {
    const u64 value = varint(what);
    if (value > in_.remaining()) fail(fmt::format("{} {} cannot be in {} bytes", value, what, in_.remaining()));
    if (value > limit) fail(fmt::format("{} {} are more than {}", value, what, limit), ErrorKind::limit);
    return value;
  }
  std::string text(const char* what) {
    const u64 size = count(kMaxTextBytes, what);
    const Bytes bytes = read_value([&] { return in_.take(size, what); });
    return {bytes.begin(), bytes.end()};
  }
  DType dtype() {
    const u8 value = fixed<u8>("dtype");
    if (value > static_cast<u8>(DType::c64)) fail(fmt::format("unknown dtype {}", value));
    return static_cast<DType>(value);
  }
  // What begins at `offset` and takes `bytes` must follow what came before, from `start` on.
  void cover(u64 offset, u64 start, u64 bytes, const std::string& what) {
    if (offset != start) {
      fail(fmt::format("{} begins at offset {}, but what lies before it ends at {} ({})", what, offset, next_,
                       offset < next_   ? "overlap"
                       : offset < start ? "not aligned"
                                        : "hole"));
    }
    if (bytes > end_ || offset > end_ - bytes) {
      fail(fmt::format("{} takes {} bytes from offset {}, behind the layers' end at {}", what, bytes, offset, end_));
    }
    next_ = offset + bytes;
  }

  Packing packing(const LayerEntry& layer) {
    const u8 kind = fixed<u8>("packing");
    switch (static_cast<PackingKind>(kind)) {
      case PackingKind::plain:
        return Packing::plain(layer.dtype);
      case PackingKind::gguf: {
        const u64 id = varint("GGUF type");
        const u8 planes = fixed<u8>("number of planes");
        const GgufType* type = id > ~u32{0} ? nullptr : find_gguf_type(static_cast<u32>(id));
        if (type == nullptr || planes == 0 || type->planes.size() != planes || type->block == 1 ||
            type->planes[0].dtype != layer.dtype) {
          fail_layer(layer, fmt::format("has GGUF type {}, which this build cannot read", id), ErrorKind::unsupported);
        }
        return Packing::gguf(*type);
      }
      case PackingKind::view: {
        ViewSpec view;
        view.dtype = dtype();
        const u8 high_first = fixed<u8>("nibble order");
        view.bias = fixed<u8>("bias");
        view.packed = info(view.dtype).bits == 4;
        view.high_first = high_first == 1;
        const bool codes = view.packed || view.dtype == DType::int8 || view.dtype == DType::uint8;
        const bool wide = info(view.dtype).bits >= 8 && info(view.dtype).bits == info(layer.dtype).bits;
        if (high_first > (view.packed ? 1 : 0) ||
            view.bias > (view.packed ? 15
                         : codes     ? 255
                                     : 0) ||
            !(view.packed ? info(layer.dtype).bits == 8 : wide)) {
          fail_layer(layer, "has a view that does not fit it");
        }
        return Packing::view(view, layer.dtype);
      }
    }
    fail_layer(layer, fmt::format("has packing {}, which this build does not know", kind), ErrorKind::unsupported);
  }

  void read_shape(LayerEntry& layer) {
    const u64 rank = varint("rank");
    if (rank > kMaxRank) fail_layer(layer, fmt::format("has {} dimensions, more than {}", rank, kMaxRank));
    for (u64 d = 0; d < rank; ++d) {
      const u64 side = varint("dimension");
      if (side > u64{INT64_MAX}) fail_layer(layer, "has a dimension above 2^63");
      layer.shape.push_back(static_cast<i64>(side));
    }
  }

  void read_parts(LayerEntry& layer) {
    layer.part_elements = varint("elements a part");
    if ((layer.part_elements == 0) != (layer.elements == 0) || layer.part_elements > layer.elements) {
      fail_layer(layer, fmt::format("of {} elements has parts of {}", layer.elements, layer.part_elements));
    }
    if (layer.elements == 0) return;
    const u64 unit = layer.packing.unit_elements(), cols = static_cast<u64>(layer.cols);
    if (layer.part_elements % unit != 0 || (layer.part_elements > cols && layer.part_elements % cols != 0)) {
      fail_layer(layer, fmt::format("has parts of {} elements, which are neither whole rows nor whole blocks",
                                    layer.part_elements));
    }
    if (layer.part_elements / unit > limits_.max_part_weights / layer.packing.most_per_unit()) {
      fail_layer(layer,
                 fmt::format("has parts of {} elements, above the limit of {} weights", layer.part_elements,
                             limits_.max_part_weights),
                 ErrorKind::limit);
    }
    layer.offset = bounded(end_, "offset of a layer");
    const std::size_t planes = layer.packing.planes().size();
    const u64 parts = layer.part_count();
    // A record's size and its checksum take five bytes at least.
    if (parts > in_.remaining() / (4 + 5 * planes)) {
      fail_layer(layer, fmt::format("cannot have {} parts in {} bytes of index", parts, in_.remaining()));
    }
    u64 total = 0;
    for (u64 p = 0; p < parts; ++p) {
      PartEntry part{layer.offset + total, 0, fixed<u32>("checksum of a part")};
      for (std::size_t plane = 0; plane < planes; ++plane) {
        const u64 bytes = bounded(end_, "record");
        layer.records.push_back({bytes, fixed<u32>("checksum of a record")});
        part.bytes += bytes;
      }
      total += part.bytes;
      if (total > end_) fail_layer(layer, "is larger than the container");
      layer.parts.push_back(part);
    }
    record_bytes_ += total;
    cover(layer.offset, layer_start(next_, parts, total), total, fmt::format("layer '{}'", shown_name(layer.name)));
  }

  void read_layer(FileEntry& file) {
    if (out_.layers.size() == kMaxLayers) fail(fmt::format("more than {} layers", kMaxLayers), ErrorKind::limit);
    LayerEntry layer;
    layer.name = text("layer name");
    layer.dtype = dtype();
    read_shape(layer);
    layer.packing = packing(layer);
    if (layer.packing.kind() == PackingKind::plain && info(layer.dtype).bits < 8) {
      fail_layer(layer, "has elements of less than a byte");
    }
    if (!derive_sizes(layer)) fail_layer(layer, "has more elements than 63 bits count, or rows of no whole blocks");
    layer.gap_bytes = varint("bytes before a layer");
    layer.stages = varint("stages of a layer");
    if (layer.stages >= out_.stages.size()) fail_layer(layer, "names stages that are not described");
    read_parts(layer);
    add(file, layer.gap_bytes, true);
    add(file, layer.source_bytes, false);
    out_.layers.push_back(std::move(layer));
  }
  // Bytes of a source file.
  void add(FileEntry& file, u64 bytes, bool raw) const {
    const bool wraps = __builtin_add_overflow(file.bytes, bytes, &file.bytes);
    if (raw) file.raw_bytes += bytes;
    if (wraps || file.bytes > u64{INT64_MAX} || file.raw_bytes > kMaxRawBytes) {
      fail(fmt::format("source file '{}' is larger than a file can be", shown_name(file.name)));
    }
  }

  void read_file() {
    FileEntry file;
    file.name = text("file name");
    file.first_layer = out_.layers.size();
    file.layers = count(kMaxLayers, "layers");
    for (u64 i = 0; i < file.layers; ++i) read_layer(file);
    file.tail_bytes = varint("bytes after the last layer");
    add(file, file.tail_bytes, true);
    if (file.raw_bytes != 0) {
      const u8 method = fixed<u8>("method of raw bytes");
      if (method > static_cast<u8>(RawMethod::zstd)) {
        fail(fmt::format("raw bytes are packed by method {}, which this build does not know", method),
             ErrorKind::unsupported);
      }
      file.method = static_cast<RawMethod>(method);
      file.raw_offset = bounded(end_, "offset of raw bytes");
      file.raw_coded_bytes = varint("raw bytes");
      file.raw_coded_crc = fixed<u32>("checksum of raw bytes");
      file.raw_crc = fixed<u32>("checksum of raw bytes");
      if (file.method == RawMethod::stored && file.raw_coded_bytes != file.raw_bytes) {
        fail(fmt::format("{} raw bytes are stored in {}", file.raw_bytes, file.raw_coded_bytes));
      }
      cover(file.raw_offset, next_, file.raw_coded_bytes, fmt::format("raw bytes of '{}'", shown_name(file.name)));
    }
    out_.files.push_back(std::move(file));
  }

  // Names become paths when several files are decoded, and never leave their directory.
  void check_names() const {
    std::unordered_set<sv> seen;
    for (const FileEntry& file : out_.files) {
      const bool plain = !file.name.empty() && file.name != "." && file.name != ".." && file.name.size() <= 255 &&
                         file.name.find_first_of(sv("/\\\0", 3)) == std::string::npos;
      if (!plain) fail(fmt::format("'{}' is not the name of a file", shown_name(file.name)));
      if (!seen.insert(file.name).second) fail(fmt::format("file '{}' appears twice", shown_name(file.name)));
    }
    // Tensors of one name are refused where the planes of layers are listed, in the reader.
  }

  ByteReader in_;
  u64 end_;
  IndexLimits limits_;
  sv file_;
  ContainerIndex out_;
  u64 next_ = kHeaderBytes, record_bytes_ = 0;
};

}  // namespace

void check_header(Bytes header, sv file) {
  ByteReader in(header);
  if (in.read<u32>("magic") != kMagic) {
    throw Error(ErrorKind::corrupt, fmt::format("{}: does not begin with 'WCDC': no .wcodec container", file));
  }
  if (const int version = in.read<u8>("version"); version != kFormatVersion) {
    throw Error(ErrorKind::unsupported, fmt::format("{}: {}", file, other_version("container", version)));
  }
  const Bytes reserved = in.take(kHeaderBytes - 9, "reserved");
  const bool set = std::any_of(reserved.begin(), reserved.end(), [](u8 byte) { return byte != 0; });
  const bool good = in.read<u32>("checksum") == crc32(header.first(kHeaderBytes - 4));
  if (!good) throw Error(ErrorKind::corrupt, fmt::format("{}: checksum mismatch in the header (at offset 0)", file));
  if (set) {
    throw Error(ErrorKind::unsupported,
                fmt::format("{}: the header has flags that this build does not know (at offset 5)", file));
  }
}

Footer read_footer(Bytes bytes, u64 file_bytes, sv file) {
  const auto fail = [&](const std::string& what) {
    throw Error(ErrorKind::corrupt,
                fmt::format("{}: footer: {} (at offset {})", file, what, file_bytes - kFooterBytes));
  };
  ByteReader in(bytes);
  Footer footer{};
  footer.index_offset = in.read<u64>("footer");
  footer.index_bytes = in.read<u64>("footer");
  footer.index_crc = in.read<u32>("footer");
  const u32 reserved = in.read<u32>("footer"), magic = in.read<u32>("footer"), crc = in.read<u32>("footer");
  if (magic != kFooterMagic) fail("does not end like a container: cut off or not complete; fetch the file again");
  if (crc != crc32(bytes.first(kFooterBytes - 4))) fail("checksum mismatch");
  if (reserved != 0) fail("reserved bytes are not zero");
  if (footer.index_offset % kAlignment != 0)
    fail(fmt::format("the index begins at {}, not aligned", footer.index_offset));
  const u64 end = file_bytes - kFooterBytes;
  if (footer.index_bytes > end || footer.index_offset != end - footer.index_bytes ||
      footer.index_offset < kHeaderBytes) {
    fail(fmt::format("an index of {} bytes at {} does not fill the file up to here", footer.index_bytes,
                     footer.index_offset));
  }
  if (footer.index_bytes > kMaxIndexBytes) {
    throw Error(ErrorKind::limit,
                fmt::format("{}: an index of {} bytes is larger than {}", file, footer.index_bytes, kMaxIndexBytes));
  }
  return footer;
}

ContainerIndex read_index(Bytes index, u64 index_offset, const IndexLimits& limits, sv file) {
  return IndexReader(index, index_offset, limits, file).read();
}

}  // namespace wcodec::container
