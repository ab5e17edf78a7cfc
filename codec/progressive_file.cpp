#include "codec/progressive_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <new>
#include <nlohmann/json.hpp>

#include "codec/format_version.hpp"
#include "codec/layer_plan.hpp"
#include "codec/ordered_words.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/output_file.hpp"
#include "core/sources/source.hpp"

namespace wcodec {
namespace {

constexpr u32 kMagic = 0x50444357;  // "WCDP"
constexpr std::size_t kHeaderBytes = 24;
constexpr u64 kMaxIndexBytes = u64{1} << 26;
constexpr u64 kMaxName = 65'536, kMaxRank = 64, kMaxElements = u64{1} << 48;
constexpr u64 kMaxRecordBytes = u64{1} << 48;

bool has_planes(const DTypeInfo& d) noexcept { return d.bits <= kMaxOrderedBits; }
// What a preview needs whole takes next to nothing: the scales and offsets of norms.
bool is_progressive(const TensorInfo& tensor) noexcept {
  return has_planes(info(tensor.dtype)) && tensor.shape.size() >= 2;
}

// Only small integers are transformed, and known by their magnitudes.
ProgressiveOptions options_for(const DTypeInfo& d, const ProgressiveOptions& asked) {
  return d.bits <= 8 && d.number != NumberClass::floating ? asked : ProgressiveOptions{};
}

struct CodedLayer {
  ProgressiveLayer layer;
  std::vector<u8> record;
  std::vector<u64> prefix_bytes;
};

CodedLayer encode_layer(const Checkpoint& checkpoint, std::size_t index, const ProgressiveEncodeOptions& options,
                        ProgressiveFileStats& stats) {
  const TensorInfo& tensor = checkpoint.tensors()[index];
  CodedLayer out{{tensor.name, tensor.dtype, tensor.shape, tensor.rows, tensor.cols, false, 0, {}}, {}, {}};
  const QuantizedTensor words{tensor.rows, tensor.cols, word_format(info(tensor.dtype)), checkpoint.read(index), {}};
  stats.source_bytes += words.symbol_bytes();
  stats.weights += words.weights();
  ++stats.layers;
  if (!is_progressive(tensor)) {
    EncodeOptions exact;
    exact.preset = options.preset;
    EncodedTensor record = encode_smallest(words, plan_layer(tensor, exact).plans);
    out.layer.is_exact = true;
    out.layer.head_bytes = record.bytes.size();
    out.record = std::move(record.bytes);
    stats.ledger += record.ledger;
    ++stats.exact_layers;
    return out;
  }
  ProgressiveRecord record = encode_progressive(words, options_for(info(tensor.dtype), options.progressive));
  out.layer.head_bytes = record.prefix_bytes[0];
  for (std::size_t p = 1; p < record.prefix_bytes.size(); ++p)
    out.layer.plane_bytes.push_back(record.prefix_bytes[p] - record.prefix_bytes[p - 1]);
  out.prefix_bytes = std::move(record.prefix_bytes);
  out.record = std::move(record.bytes);
  stats.ledger += record.ledger;
  stats.planes = std::max(stats.planes, static_cast<int>(out.layer.plane_bytes.size()));
  return out;
}

std::vector<u8> index_bytes(const std::vector<CodedLayer>& layers) {
  ByteWriter out;
  out.varint(layers.size());
  for (const CodedLayer& coded : layers) {
    const ProgressiveLayer& layer = coded.layer;
    if (layer.name.size() > kMaxName) throw Error(ErrorKind::limit, "the name of a layer is too long");
    out.varint(layer.name.size());
    out.append(Bytes(reinterpret_cast<const u8*>(layer.name.data()), layer.name.size()));
    out.write(static_cast<u8>(layer.dtype));
    out.varint(layer.shape.size());
    for (const i64 side : layer.shape) out.varint(static_cast<u64>(side));
    out.write(static_cast<u8>(layer.is_exact ? 1 : 0));
    out.varint(layer.head_bytes);
    if (layer.is_exact) continue;
    out.write(static_cast<u8>(layer.plane_bytes.size()));
    for (const u64 bytes : layer.plane_bytes) out.varint(bytes);
  }
  out.write(crc32(out.bytes));
  return out.bytes;
}

std::vector<u8> header_bytes(u64 index_size) {
  ByteWriter out;
  out.write(kMagic);
  out.write(kFormatVersion);
  out.append(std::vector<u8>(7));
  out.write(index_size);
  out.write(crc32(out.bytes));
  return out.bytes;
}

// rows and cols of a shape, as TensorInfo sees it; false where it has too many elements.
bool set_matrix(ProgressiveLayer& layer) noexcept {
  u64 rows = 1, elements = 1;
  for (const i64 side : layer.shape) {
    const auto s = static_cast<u64>(side);
    if (s != 0 && elements > kMaxElements / s) return false;
    elements *= s;
  }
  const u64 cols = layer.shape.empty() ? 1 : static_cast<u64>(layer.shape.back());
  rows = cols == 0 || elements == 0 ? 0 : elements / cols;
  layer.rows = static_cast<i64>(rows);
  layer.cols = static_cast<i64>(cols);
  return true;
}

class IndexReader {
 public:
  explicit IndexReader(Bytes index) : in_(index) {}

  std::vector<ProgressiveLayer> layers() {
    const u64 count = in_.varint("number of layers");
    std::vector<ProgressiveLayer> out;
    for (u64 i = 0; i < count; ++i) out.push_back(layer());
    if (in_.remaining() != 0) corrupt("bytes are left over in the index");
    return out;
  }

 private:
  [[noreturn]] static void corrupt(const std::string& what) { throw Error(ErrorKind::corrupt, what); }
  u64 bounded(const char* what, u64 most) {
    const u64 value = in_.varint(what);
    if (value > most) corrupt(fmt::format("{} {} is above {}", what, value, most));
    return value;
  }

  ProgressiveLayer layer() {
    ProgressiveLayer out;
    const Bytes name = in_.take(bounded("length of a name", kMaxName), "name of a layer");
    out.name.assign(name.begin(), name.end());
    const u8 dtype = in_.read<u8>("element type");
    if (dtype > static_cast<u8>(DType::c64)) corrupt(fmt::format("layer '{}': unknown type", printable(out.name)));
    out.dtype = static_cast<DType>(dtype);
    const u64 rank = bounded("rank", kMaxRank);
    for (u64 d = 0; d < rank; ++d) out.shape.push_back(static_cast<i64>(bounded("side", kMaxElements)));
    if (!set_matrix(out)) corrupt(fmt::format("layer '{}' has too many elements", printable(out.name)));
    const u8 kind = in_.read<u8>("kind of layer");
    if (kind > 1) corrupt(fmt::format("layer '{}': unknown kind", printable(out.name)));
    out.is_exact = kind == 1;
    if (!out.is_exact && !has_planes(info(out.dtype)))
      corrupt(fmt::format("layer '{}' has no bit planes", printable(out.name)));
    out.head_bytes = bounded("size of a record", kMaxRecordBytes);
    if (out.is_exact) return out;
    const u8 planes = in_.read<u8>("number of planes");
    if (planes > kMaxBitPlanes) corrupt(fmt::format("layer '{}' has too many planes", printable(out.name)));
    for (int p = 0; p < planes; ++p) out.plane_bytes.push_back(bounded("size of a plane", kMaxRecordBytes));
    return out;
  }

  ByteReader in_;
};

// Errors of records say which file and layer.
template <class Body>
auto in_layer(const std::string& shown, const std::string& layer, Body&& body) {
  try {
    return body();
  } catch (const Error& error) {
    throw Error(error.kind(), fmt::format("{}: layer '{}': {}", shown, printable(layer), error.what()),
                {shown, layer, -1});
  } catch (const std::bad_alloc&) {
    throw Error(ErrorKind::limit, fmt::format("{}: layer '{}' does not fit in memory", shown, printable(layer)));
  }
}

void report(const std::function<bool(u64, u64, sv)>& progress, u64 done, u64 total, sv layer) {
  if (progress && !progress(done, total, layer)) throw Error(ErrorKind::cancelled, "stopped on request");
}

// Of elements of fewer than 8 bits, the bytes they have in memory.
DType byte_type(DType dtype) noexcept {
  const DTypeInfo& d = info(dtype);
  if (d.bits >= 8 || dtype == DType::boolean) return dtype;
  return d.number == NumberClass::signed_int ? DType::int8 : DType::uint8;
}

std::string safetensors_header(const std::vector<ProgressiveLayer>& layers, const std::string& shown) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  u64 at = 0;
  for (const ProgressiveLayer& layer : layers) {
    const DTypeInfo& d = info(byte_type(layer.dtype));
    const u64 end = at + layer.weights() * static_cast<u64>(d.memory_bytes);
    header[layer.name] = {{"dtype", std::string(d.name)}, {"shape", layer.shape}, {"data_offsets", {at, end}}};
    at = end;
  }
  try {
    std::string text = header.dump();
    text.append((8 - text.size() % 8) % 8, ' ');
    return text;
  } catch (const nlohmann::json::exception&) {
    throw Error(ErrorKind::unsupported, fmt::format("{}: a layer's name is no UTF-8, which safetensors needs", shown));
  }
}

}  // namespace

ProgressiveFileStats encode_progressive_file(const std::string& source, const std::string& destination,
                                             const ProgressiveEncodeOptions& options) {
  OpenOptions open;
  open.views = options.views;
  const auto checkpoint = open_checkpoint(source, open);
  const std::vector<TensorInfo>& tensors = checkpoint->tensors();
  if (std::none_of(tensors.begin(), tensors.end(), is_progressive)) {
    throw Error(ErrorKind::unsupported,
                fmt::format("{}: no tensor has planes, which takes two dimensions and elements of at most 32 bits; use "
                            "wcodec encode",
                            printable(source)));
  }
  OutputFile file(destination, options.overwrite);
  u64 total = 0, done = 0;
  for (const TensorInfo& tensor : tensors) total += tensor.memory_bytes();
  ProgressiveFileStats stats;
  std::vector<CodedLayer> layers;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    layers.push_back(
        in_layer(printable(source), tensors[i].name, [&] { return encode_layer(*checkpoint, i, options, stats); }));
    done += tensors[i].memory_bytes();
    report(options.progress, done, total, tensors[i].name);
  }
  const std::vector<u8> index = index_bytes(layers);
  if (index.size() > kMaxIndexBytes) throw Error(ErrorKind::limit, "the index of layers is too large");
  file.append(header_bytes(index.size()));
  file.append(index);
  stats.ledger[LedgerEntry::header] += kHeaderBytes - sizeof(u32);
  stats.ledger[LedgerEntry::index] += index.size() - sizeof(u32);
  stats.ledger[LedgerEntry::crc] += 2 * sizeof(u32);
  for (const CodedLayer& layer : layers) file.append(Bytes(layer.record).first(layer.layer.head_bytes));
  for (std::size_t p = 0; p < static_cast<std::size_t>(stats.planes); ++p) {
    for (const CodedLayer& layer : layers) {
      if (p >= layer.layer.plane_bytes.size()) continue;
      file.append(Bytes(layer.record).subspan(layer.prefix_bytes[p], layer.layer.plane_bytes[p]));
    }
  }
  stats.file_bytes = file.size();
  if (stats.ledger.total() != stats.file_bytes)
    throw Error(ErrorKind::internal, "the ledger of a progressive file does not balance");
  file.commit();
  return stats;
}

ProgressiveFile ProgressiveFile::open(const std::string& path) {
  ProgressiveFile out(File{path});
  const std::string shown = out.file_.shown();
  const auto fail = [&](ErrorKind kind, const std::string& what) {
    throw Error(kind, fmt::format("{}: {}", shown, what), {shown, {}, -1});
  };
  if (out.bytes() < kHeaderBytes) fail(ErrorKind::truncated, "too short for a progressive file");
  std::array<u8, kHeaderBytes> header{};
  out.file_.read_at(0, header);
  ByteReader in(header);
  if (in.read<u32>("magic") != kMagic) fail(ErrorKind::corrupt, "is no progressive file (wrong magic)");
  if (const u8 version = in.read<u8>("version"); version != kFormatVersion)
    fail(ErrorKind::unsupported, other_version("progressive file", version));
  const Bytes reserved = in.take(7, "reserved bytes");
  const u64 index_size = in.read<u64>("size of the index");
  if (in.read<u32>("checksum") != crc32(Bytes(header).first(kHeaderBytes - sizeof(u32))))
    fail(ErrorKind::corrupt, "checksum mismatch in the header");
  if (std::any_of(reserved.begin(), reserved.end(), [](u8 byte) { return byte != 0; }))
    fail(ErrorKind::unsupported, "has flags that this build does not know");
  if (index_size < sizeof(u32) || index_size > kMaxIndexBytes)
    fail(ErrorKind::corrupt, "size of the index out of range");
  if (index_size > out.bytes() - kHeaderBytes)
    fail(ErrorKind::truncated, fmt::format("is cut in its index: {} bytes at least are needed, there are {}",
                                           kHeaderBytes + index_size, out.bytes()));
  std::vector<u8> index(index_size);
  out.file_.read_at(kHeaderBytes, index);
  const Bytes body = Bytes(index).first(index_size - sizeof(u32));
  if (ByteReader(Bytes(index).last(sizeof(u32))).read<u32>("checksum") != crc32(body))
    fail(ErrorKind::corrupt, "checksum mismatch in the index");
  try {
    out.layers_ = IndexReader(body).layers();
  } catch (const Error& error) {
    fail(error.kind(), fmt::format("index: {}", error.what()));
  }

  // Sizes are at most 2^48 and there are at most 2^28 of them: no sum wraps that is checked at each step.
  u64 at = kHeaderBytes + index_size;
  const auto advance = [&](u64 bytes) {
    const u64 from = at;
    at += bytes;
    if (at > (u64{1} << 62)) fail(ErrorKind::corrupt, "sizes of records are out of range");
    return from;
  };
  for (const ProgressiveLayer& layer : out.layers_) {
    out.head_offset_.push_back(advance(layer.head_bytes));
    out.planes_ = std::max(out.planes_, static_cast<int>(layer.plane_bytes.size()));
  }
  if (at > out.bytes())
    fail(ErrorKind::truncated,
         fmt::format("is cut before its first plane: {} bytes at least are needed, there are {}", at, out.bytes()));
  out.plane_offset_.resize(out.layers_.size());
  for (std::size_t p = 0; p < static_cast<std::size_t>(out.planes_); ++p) {
    for (std::size_t i = 0; i < out.layers_.size(); ++i) {
      if (p < out.layers_[i].plane_bytes.size()) out.plane_offset_[i].push_back(advance(out.layers_[i].plane_bytes[p]));
    }
  }
  out.whole_bytes_ = at;
  if (out.bytes() > at) fail(ErrorKind::corrupt, fmt::format("{} bytes are left over", out.bytes() - at));
  return out;
}

int ProgressiveFile::planes_here(std::size_t layer) const noexcept {
  const ProgressiveLayer& entry = layers_[layer];
  std::size_t here = 0;
  while (here < entry.plane_bytes.size() && plane_offset_[layer][here] + entry.plane_bytes[here] <= bytes()) ++here;
  return static_cast<int>(here);
}

u64 ProgressiveFile::bytes_for(int planes) const noexcept {
  u64 end = layers_.empty() ? whole_bytes_ : head_offset_.back() + layers_.back().head_bytes;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const std::size_t all = std::min(layers_[i].plane_bytes.size(), static_cast<std::size_t>(std::max(planes, 0)));
    if (all > 0) end = std::max(end, plane_offset_[i][all - 1] + layers_[i].plane_bytes[all - 1]);
  }
  return end;
}

ProgressiveLayerData ProgressiveFile::read(std::size_t layer, int planes, std::optional<u64> max_weights) const {
  const ProgressiveLayer& entry = layers_.at(layer);
  return in_layer(file_.shown(), entry.name, [&] {
    const u64 limit = max_weights.value_or(default_weight_limit(bytes()));
    if (entry.weights() > limit)
      throw Error(ErrorKind::limit,
                  fmt::format("{} x {} weights are above the limit of {}", entry.rows, entry.cols, limit));
    const int here = planes_here(layer);
    const int wanted = planes == kAllPlanes ? here : std::min(planes, static_cast<int>(entry.plane_bytes.size()));
    if (wanted > here)
      throw Error(ErrorKind::truncated, fmt::format("{} planes are asked for, the file has {}", wanted, here));
    u64 size = entry.head_bytes;
    for (int p = 0; p < wanted; ++p) size += entry.plane_bytes[static_cast<std::size_t>(p)];
    std::vector<u8> record(size);
    const MutBytes all(record);
    file_.read_at(head_offset_[layer], all.first(entry.head_bytes));
    u64 at = entry.head_bytes;
    for (std::size_t p = 0; p < static_cast<std::size_t>(wanted); ++p) {
      file_.read_at(plane_offset_[layer][p], all.subspan(at, entry.plane_bytes[p]));
      at += entry.plane_bytes[p];
    }
    ProgressiveLayerData out;
    QuantizedTensor tensor;
    // A matrix without rows may have columns all the same.
    const u64 bound = std::max({entry.weights(), static_cast<u64>(entry.rows), static_cast<u64>(entry.cols)});
    if (entry.is_exact) {
      tensor = decode_tensor(record, bound);
    } else {
      ProgressiveTensor decoded = decode_progressive(record, wanted, bound);
      out.bound = decoded.bound;
      out.value_bound = decoded.value_bound;
      out.planes = decoded.planes;
      out.all_planes = decoded.all_planes;
      tensor = std::move(decoded.tensor);
      if (out.all_planes != static_cast<int>(entry.plane_bytes.size()))
        throw Error(ErrorKind::corrupt, "the record has other planes than the index says");
    }
    if (tensor.rows != entry.rows || tensor.cols != entry.cols || tensor.format != word_format(info(entry.dtype)))
      throw Error(ErrorKind::corrupt, "the record is of another shape or type than the index says");
    out.words = std::move(tensor.words);
    return out;
  });
}

std::vector<ProgressiveBound> decode_progressive_file(const std::string& source, const std::string& destination,
                                                      const ProgressiveDecodeOptions& options) {
  const ProgressiveFile file = ProgressiveFile::open(source);
  u64 total = 0, done = 0;
  for (const ProgressiveLayer& layer : file.layers()) {
    const u64 bytes = layer.weights() * static_cast<u64>(info(layer.dtype).memory_bytes);
    if (bytes > options.max_output_bytes - total)
      throw Error(ErrorKind::limit,
                  fmt::format("{}: holds more than {} bytes", printable(source), options.max_output_bytes));
    total += bytes;
  }
  const std::string header = safetensors_header(file.layers(), printable(source));
  OutputFile out(destination, options.overwrite);
  ByteWriter size;
  size.write(static_cast<u64>(header.size()));
  out.append(size.bytes);
  out.append(Bytes(reinterpret_cast<const u8*>(header.data()), header.size()));
  std::vector<ProgressiveBound> bounds;
  for (std::size_t i = 0; i < file.layers().size(); ++i) {
    const ProgressiveLayer& layer = file.layers()[i];
    // A layer that a cut has left behind the others gives what it has.
    const int planes = options.planes == kAllPlanes
                           ? kAllPlanes
                           : std::min(options.planes, static_cast<int>(layer.plane_bytes.size()));
    const ProgressiveLayerData data = file.read(i, planes);
    out.append(data.words);
    bounds.push_back({layer.name, data.bound, data.value_bound, data.planes, data.all_planes});
    done += data.words.size();
    report(options.progress, done, total, layer.name);
  }
  out.commit();
  return bounds;
}

}  // namespace wcodec
