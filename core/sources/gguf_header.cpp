#include "core/sources/gguf_header.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>

#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/sources/describe.hpp"

namespace wcodec {
namespace {

// Bounds on what a hostile header can make us hold or walk through; real ones stay far below.
constexpr u64 kMaxHeaderBytes = u64{1} << 30;
constexpr u64 kMaxKeys = u64{1} << 22;
constexpr u64 kMaxTensors = u64{1} << 16;
constexpr u64 kMaxKeyBytes = 65535;  // of the format
constexpr u64 kMaxNameBytes = 1024;  // the format says 64; tools have written longer ones
constexpr u32 kMaxDimensions = 4;    // of ggml
constexpr u32 kDefaultAlignment = 32, kMaxAlignment = u32{1} << 20;

enum ValueType : u32 { u8_, i8_, u16_, i16_, u32_, i32_, f32_, bool_, string_, array_, u64_, i64_, f64_, end_ };

// Bytes a value takes, 0 where that varies.
u64 value_bytes(u32 type) noexcept {
  constexpr u8 kBytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  return kBytes[type];
}

// Forward reading through a window.
class Cursor {
 public:
  explicit Cursor(const File& file) : file_(file) {}
  u64 position() const noexcept { return position_; }
  u64 remaining() const noexcept { return file_.size() - position_; }

  template <class T>
  T read(const char* what) {
    T value;
    need(sizeof(T), what);
    if (position_ < start_ || position_ + sizeof(T) > start_ + window_.size()) fill();
    std::memcpy(&value, window_.data() + (position_ - start_), sizeof(T));
    position_ += sizeof(T);
    return value;
  }
  std::string string(u64 limit, const char* what) {
    const u64 size = string_size(what);
    if (size > limit) {
      fail(ErrorKind::limit, fmt::format("{} of {} bytes is longer than the {} allowed", what, size, limit));
    }
    std::string text(size, '\0');
    file_.read_at(position_, MutBytes(reinterpret_cast<u8*>(text.data()), size));
    position_ += size;
    return text;
  }
  u64 string_size(const char* what) {
    const u64 size = read<u64>(what);
    need(size, what);
    return size;
  }
  void skip(u64 bytes, const char* what) {
    need(bytes, what);
    position_ += bytes;
  }
  [[noreturn]] void fail(ErrorKind kind, const std::string& what) const {
    throw Error(kind, fmt::format("{}: {} (before offset {})", file_.shown(), what, position_));
  }

 private:
  void need(u64 bytes, const char* what) const {
    if (bytes > remaining()) {
      throw Error(ErrorKind::truncated,
                  fmt::format("{}: {} needs {} bytes at offset {}, only {} are left; fetch the file again",
                              file_.shown(), what, bytes, position_, remaining()));
    }
    if (bytes > kMaxHeaderBytes || position_ > kMaxHeaderBytes) {
      fail(ErrorKind::limit, fmt::format("the header is longer than {} bytes", kMaxHeaderBytes));
    }
  }
  void fill() {
    window_.resize(std::min<u64>(std::size_t{1} << 16, remaining()));
    start_ = position_;
    file_.read_at(start_, window_);
  }

  const File& file_;
  std::vector<u8> window_;
  u64 start_ = 0, position_ = 0;
};

void skip_array(Cursor& in, const std::string& key) {
  const u32 type = in.read<u32>("array type");
  const u64 count = in.read<u64>("array length");
  if (type >= end_) in.fail(ErrorKind::corrupt, fmt::format("key '{}': unknown value type {}", shown_name(key), type));
  if (type == array_) {
    in.fail(ErrorKind::unsupported, fmt::format("key '{}': arrays of arrays are not supported", shown_name(key)));
  }
  if (type == string_) {
    for (u64 i = 0; i < count; ++i) in.skip(in.string_size("string of an array"), "string of an array");
    return;
  }
  u64 bytes = 0;
  if (__builtin_mul_overflow(count, value_bytes(type), &bytes)) bytes = ~u64{0};
  in.skip(bytes, "array");
}

void skip_value(Cursor& in, u32 type, const std::string& key) {
  if (type >= end_) in.fail(ErrorKind::corrupt, fmt::format("key '{}': unknown value type {}", shown_name(key), type));
  if (type == array_) return skip_array(in, key);
  if (type == string_) return in.skip(in.string_size("string"), "string");
  if (type == bool_) {
    if (in.read<u8>("boolean") > 1) in.fail(ErrorKind::corrupt, fmt::format("key '{}': no boolean", shown_name(key)));
    return;
  }
  in.skip(value_bytes(type), "value");
}

u32 read_alignment(Cursor& in, u32 type) {
  if (type != u32_) in.fail(ErrorKind::corrupt, "general.alignment is not of type uint32");
  const u32 alignment = in.read<u32>("general.alignment");
  if (!std::has_single_bit(alignment) || alignment < 8 || alignment > kMaxAlignment) {
    in.fail(ErrorKind::corrupt,
            fmt::format("general.alignment is {}; it must be a power of two from 8 to {}", alignment, kMaxAlignment));
  }
  return alignment;
}

// Which keys have been seen: their hashes and places, so that a million keys take 16 MB whatever they are called.
class KeySet {
 public:
  void add(const std::string& key, u64 place) {
    keys_.push_back({hash64(Bytes(reinterpret_cast<const u8*>(key.data()), key.size())), place});
  }
  void check_unique(const File& file) {
    std::sort(keys_.begin(), keys_.end(), [](Key a, Key b) { return a.hash < b.hash; });
    for (std::size_t i = 1; i < keys_.size(); ++i) {
      // Equal hashes of different keys do not happen by chance, and a file made for it gains nothing by the refusal.
      if (keys_[i].hash == keys_[i - 1].hash) {
        throw Error(ErrorKind::corrupt, fmt::format("{}: the key at offset {} appears again at offset {}", file.shown(),
                                                    std::min(keys_[i].place, keys_[i - 1].place),
                                                    std::max(keys_[i].place, keys_[i - 1].place)));
      }
    }
  }

 private:
  struct Key {
    u64 hash, place;
  };
  std::vector<Key> keys_;
};

// Returns the alignment of the tensors.
u32 read_metadata(const File& file, Cursor& in, u64 count) {
  if (count > kMaxKeys) in.fail(ErrorKind::limit, fmt::format("{} keys are more than {}", count, kMaxKeys));
  u32 alignment = kDefaultAlignment;
  KeySet keys;
  for (u64 i = 0; i < count; ++i) {
    const u64 place = in.position();
    const std::string key = in.string(kMaxKeyBytes, "key");
    keys.add(key, place);
    const u32 type = in.read<u32>("value type");
    if (key == "general.alignment") {
      alignment = read_alignment(in, type);
    } else {
      skip_value(in, type, key);
    }
  }
  keys.check_unique(file);
  return alignment;
}

const GgufType* readable_type(const Cursor& in, const std::string& name, u32 id) {
  const GgufType* type = find_gguf_type(id);
  if (type == nullptr) {
    in.fail(ErrorKind::unsupported, fmt::format("tensor '{}' has type {}, which is unknown", shown_name(name), id));
  }
  if (type->block_bytes == 0) {
    in.fail(ErrorKind::unsupported,
            fmt::format("tensor '{}' has type {}, which is for computing and not for files; quantize it to another",
                        shown_name(name), type->name));
  }
  return type;
}

GgufEntry read_entry(Cursor& in) {
  GgufEntry entry;
  entry.name = in.string(kMaxNameBytes, "tensor name");
  const u32 rank = in.read<u32>("number of dimensions");
  if (rank > kMaxDimensions) {
    in.fail(ErrorKind::corrupt,
            fmt::format("tensor '{}' has {} dimensions, more than {}", shown_name(entry.name), rank, kMaxDimensions));
  }
  entry.shape.resize(rank);
  for (u32 d = 0; d < rank; ++d) {
    // A side above 2^63 becomes negative, which element_count refuses.
    entry.shape[rank - 1 - d] = static_cast<i64>(in.read<u64>("dimension"));
  }
  entry.type = readable_type(in, entry.name, in.read<u32>("tensor type"));
  entry.offset = in.read<u64>("tensor offset");
  const auto elements = element_count(entry.shape);
  const u64 block = static_cast<u64>(entry.type->block), block_bytes = static_cast<u64>(entry.type->block_bytes);
  if (!elements || __builtin_mul_overflow(*elements / block, block_bytes, &entry.bytes)) {
    in.fail(ErrorKind::corrupt,
            fmt::format("tensor '{}': its shape has more than 2^63 elements", shown_name(entry.name)));
  }
  const u64 row = rank == 0 ? 1 : static_cast<u64>(entry.shape.back());
  if (row % block != 0) {
    in.fail(ErrorKind::corrupt, fmt::format("tensor '{}': rows of {} elements are not whole blocks of {} {}",
                                            shown_name(entry.name), row, entry.type->name, block));
  }
  // No byte of an empty tensor is in the file, so nothing else bounds its rows; a plane has no more values a block than
  // the block has elements or bytes.
  if (i64 row_bytes; __builtin_mul_overflow(row / block, block_bytes, &row_bytes)) {
    in.fail(ErrorKind::corrupt, fmt::format("tensor '{}': its rows have more than 2^63 bytes", shown_name(entry.name)));
  }
  return entry;
}

void check_unique(const File& file, const std::vector<GgufEntry>& entries) {
  std::vector<std::size_t> order(entries.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return entries[a].name < entries[b].name; });
  const auto same = [&](auto a, auto b) { return entries[a].name == entries[b].name; };
  if (const auto it = std::adjacent_find(order.begin(), order.end(), same); it != order.end()) {
    throw Error(ErrorKind::corrupt, fmt::format("{} appears twice", tensor_label(file.path(), entries[*it].name)));
  }
}

// Sorts by position, checks it, and moves offsets from the data part into the file.
void place(const File& file, std::vector<GgufEntry>& entries, u64 header_end, u64 alignment) {
  const u64 data_start = (header_end + alignment - 1) / alignment * alignment;
  const u64 data_bytes = file.size() > data_start ? file.size() - data_start : 0;
  std::stable_sort(entries.begin(), entries.end(), [](const GgufEntry& a, const GgufEntry& b) {
    return std::pair(a.offset, a.bytes) < std::pair(b.offset, b.bytes);
  });
  u64 used = 0;
  for (GgufEntry& entry : entries) {
    const auto fail = [&](ErrorKind kind, const std::string& what) {
      throw Error(kind, fmt::format("{} {}", tensor_label(file.path(), entry.name), what));
    };
    if (entry.offset % alignment != 0) {
      fail(ErrorKind::corrupt, fmt::format("begins at {}, which is not a multiple of {}", entry.offset, alignment));
    }
    if (entry.offset > data_bytes || entry.bytes > data_bytes - entry.offset) {
      fail(ErrorKind::truncated, fmt::format("takes {} bytes from {} of the data, but the file holds only {}; fetch it "
                                             "again",
                                             entry.bytes, entry.offset, data_bytes));
    }
    if (entry.offset < used) {
      fail(ErrorKind::corrupt, fmt::format("begins at {} of the data, inside the tensor before it", entry.offset));
    }
    used = entry.offset + entry.bytes;
    entry.offset += data_start;
  }
}

void check_version(const Cursor& in, u32 version) {
  if (version == 2 || version == 3) return;
  const bool swapped = version != 0 && (version & 0xffff) == 0;
  in.fail(ErrorKind::unsupported,
          swapped ? std::string("the version is byte-swapped: a big-endian GGUF file; convert it to little-endian "
                                "(gguf-convert-endian)")
                  : fmt::format("GGUF version {} is not supported, only 2 and 3; convert the model again", version));
}

}  // namespace

std::vector<GgufEntry> read_gguf_header(const File& file) {
  Cursor in(file);
  if (in.read<u32>("magic") != 0x46554747u) in.fail(ErrorKind::corrupt, "does not begin with 'GGUF'");
  check_version(in, in.read<u32>("version"));
  const u64 tensors = in.read<u64>("number of tensors");
  const u64 keys = in.read<u64>("number of keys");
  const u32 alignment = read_metadata(file, in, keys);
  if (tensors > kMaxTensors) {
    in.fail(ErrorKind::limit, fmt::format("{} tensors are more than {}", tensors, kMaxTensors));
  }
  std::vector<GgufEntry> entries;
  for (u64 i = 0; i < tensors; ++i) entries.push_back(read_entry(in));
  check_unique(file, entries);
  place(file, entries, in.position(), alignment);
  return entries;
}

}  // namespace wcodec
