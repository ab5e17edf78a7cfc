#include "core/sources/safetensors_header.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "core/sources/describe.hpp"
#include "core/sources/json_header.hpp"

namespace wcodec {
namespace {

// Bounds on what a header within the format's 100 MB can make us hold; real checkpoints stay far below.
constexpr std::size_t kMaxTensors = std::size_t{1} << 20;
constexpr std::size_t kMaxMetadata = std::size_t{1} << 20;
constexpr sv kMetadata = "__metadata__";

// { NAME: {"dtype": STRING, "shape": [N…], "data_offsets": [BEGIN, END]}, "__metadata__": {STRING: STRING} }
class Handler : public JsonHandler {
 public:
  Handler(std::string file, SafetensorsHeader& out) : JsonHandler(std::move(file), 3), out_(out) {}

 protected:
  enum class Field { none, dtype, shape, offsets };

  bool on_key(std::string& name) override {
    if (depth() == 1) {
      begin_member(name);
    } else if (in_metadata_) {
      out_.metadata.emplace_back(std::move(name), std::string());
      if (out_.metadata.size() > kMaxMetadata) too_many("metadata entries", kMaxMetadata);
    } else {
      begin_field(name);
    }
    return true;
  }

  bool on_string(std::string& value) override {
    if (in_metadata_ && depth() == 2) {
      out_.metadata.back().second = std::move(value);
    } else if (depth() == 2 && field_ == Field::dtype) {
      set_dtype(value);
    } else {
      refuse("a string");
    }
    return true;
  }

  bool on_number(u64 value) override {
    if (depth() != 3) refuse("a number");
    if (field_ == Field::shape) {
      if (value > u64{INT64_MAX}) fail("a dimension does not fit in 63 bits");
      tensor().shape.push_back(static_cast<i64>(value));
      if (tensor().shape.size() > kMaxRank) fail(fmt::format("more than {} dimensions", kMaxRank));
    } else {
      if (offsets_ == 2) fail("data_offsets has more than two numbers");
      (offsets_++ == 0 ? tensor().begin : tensor().end) = value;
    }
    return true;
  }

  bool on_open(bool array) override {
    const bool wants_array = depth() == 3;  // a tensor's shape or offsets; objects everywhere else
    if (array != wants_array) refuse(array ? "an array" : "an object");
    if (array && (in_metadata_ || (field_ != Field::shape && field_ != Field::offsets))) refuse("an array");
    return true;
  }

  bool on_close(bool array) override {
    if (array && field_ == Field::offsets && offsets_ != 2) fail("data_offsets has fewer than two numbers");
    if (!array && depth() == 2 && !in_metadata_ && seen_ != 0b1110) fail("dtype, shape or data_offsets is missing");
    return true;
  }

  std::string where() const override {
    if (depth() == 0 || (depth() == 1 && out_.tensors.empty())) return "header";
    return in_metadata_ ? std::string(kMetadata) : fmt::format("tensor '{}'", shown_name(out_.tensors.back().name));
  }

 private:
  SafetensorsEntry& tensor() { return out_.tensors.back(); }

  void begin_member(std::string& name) {
    in_metadata_ = name == kMetadata;
    field_ = Field::none;
    seen_ = 0;
    offsets_ = 0;
    if (in_metadata_) {
      if (std::exchange(has_metadata_, true)) fail("appears twice");
      return;
    }
    if (out_.tensors.size() == kMaxTensors) too_many("tensors", kMaxTensors);
    out_.tensors.emplace_back().name = std::move(name);
  }

  void begin_field(const std::string& name) {
    field_ = name == "dtype" ? Field::dtype : name == "shape" ? Field::shape : Field::offsets;
    if (field_ == Field::offsets && name != "data_offsets") fail(fmt::format("unknown field '{}'", shown_name(name)));
    const unsigned bit = 1u << static_cast<unsigned>(field_);
    if (seen_ & bit) fail(fmt::format("field '{}' appears twice", name));
    seen_ |= bit;
  }

  void set_dtype(const std::string& text) {
    const auto dtype = parse_dtype(text);
    // Ours have names of that kind too ("I4"), but no file has elements of a whole byte under them.
    if (dtype && info(*dtype).bits >= 8) {
      tensor().dtype = *dtype;
      return;
    }
    static constexpr sv kSubByte[] = {"F4", "F6_E2M3", "F6_E3M2", "I4", "U4"};
    if (std::find(std::begin(kSubByte), std::end(kSubByte), text) != std::end(kSubByte)) {
      throw Error(ErrorKind::unsupported, fmt::format("{}: {}: dtype {} (less than a byte) is not supported; store "
                                                      "the packed codes as U8 and open them with a view",
                                                      file_, where(), text));
    }
    throw Error(ErrorKind::unsupported, fmt::format("{}: {}: unknown dtype '{}'", file_, where(), shown_name(text)));
  }

  [[noreturn]] void too_many(const char* what, std::size_t limit) const {
    throw Error(ErrorKind::limit, fmt::format("{}: the header has more than {} {}", file_, limit, what));
  }

  SafetensorsHeader& out_;
  bool in_metadata_ = false, has_metadata_ = false;
  Field field_ = Field::none;
  unsigned seen_ = 0;  // a bit a field
  int offsets_ = 0;
};

[[noreturn]] void corrupt(const File& file, const std::string& what) {
  throw Error(ErrorKind::corrupt, fmt::format("{}: {}", file.shown(), what));
}

std::vector<u8> read_json(const File& file, u64& json_bytes) {
  if (file.size() < 8) {
    throw Error(ErrorKind::truncated, fmt::format("{}: {} bytes are too few for a safetensors file; fetch it again",
                                                  file.shown(), file.size()));
  }
  u8 prefix[8];
  file.read_at(0, prefix);
  std::memcpy(&json_bytes, prefix, 8);
  if (json_bytes > kMaxJsonBytes) {
    if (std::memcmp(prefix, "PK\x03\x04", 4) == 0 || (prefix[0] == 0x80 && prefix[1] <= 5)) {
      throw Error(ErrorKind::unsupported,
                  fmt::format("{}: looks like a pickled PyTorch checkpoint; convert it to safetensors", file.shown()));
    }
    corrupt(file, fmt::format("header length {} is above the format's {} bytes; is this a safetensors file?",
                              json_bytes, kMaxJsonBytes));
  }
  if (json_bytes > file.size() - 8) {
    throw Error(ErrorKind::truncated, fmt::format("{}: the header takes {} bytes, but only {} follow its length; "
                                                  "fetch the file again",
                                                  file.shown(), json_bytes, file.size() - 8));
  }
  std::vector<u8> json(json_bytes);
  file.read_at(8, json);
  return json;
}

void check_unique(const File& file, const std::vector<SafetensorsEntry>& tensors) {
  std::vector<u32> order(tensors.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](u32 a, u32 b) { return tensors[a].name < tensors[b].name; });
  const auto same = [&](u32 a, u32 b) { return tensors[a].name == tensors[b].name; };
  if (const auto it = std::adjacent_find(order.begin(), order.end(), same); it != order.end()) {
    corrupt(file, fmt::format("tensor '{}' appears twice in the header", shown_name(tensors[*it].name)));
  }
}

void check_unique_metadata(const File& file, const SafetensorsHeader& header) {
  std::vector<sv> keys;
  keys.reserve(header.metadata.size());
  for (const auto& [key, value] : header.metadata) keys.push_back(key);
  std::sort(keys.begin(), keys.end());
  if (const auto it = std::adjacent_find(keys.begin(), keys.end()); it != keys.end()) {
    corrupt(file, fmt::format("{} has '{}' twice", kMetadata, shown_name(*it)));
  }
}

void check_sizes(const File& file, const SafetensorsEntry& tensor) {
  const auto label = [&] { return fmt::format("tensor '{}'", shown_name(tensor.name)); };
  if (tensor.begin > tensor.end) {
    corrupt(file, fmt::format("{}: data_offsets [{}, {}] are reversed", label(), tensor.begin, tensor.end));
  }
  const auto elements = element_count(tensor.shape);
  const u64 width = static_cast<u64>(info(tensor.dtype).memory_bytes);
  u64 bytes = 0;
  if (!elements || __builtin_mul_overflow(*elements, width, &bytes)) {
    corrupt(file, fmt::format("{}: its shape has more than 2^63 elements", label()));
  }
  if (bytes != tensor.end - tensor.begin) {
    corrupt(file, fmt::format("{}: its shape and dtype {} need {} bytes, but data_offsets give {}", label(),
                              info(tensor.dtype).name, bytes, tensor.end - tensor.begin));
  }
}

// Sorts by position and moves offsets from the data part into the file.
void check_cover(const File& file, std::vector<SafetensorsEntry>& tensors, u64 data_start) {
  const u64 data_bytes = file.size() - data_start;
  std::stable_sort(tensors.begin(), tensors.end(), [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  u64 covered = 0;
  for (SafetensorsEntry& tensor : tensors) {
    if (tensor.begin != covered) {
      corrupt(file,
              fmt::format("tensor '{}' begins at byte {} of the data, but the tensors before it end at {} ({})",
                          shown_name(tensor.name), tensor.begin, covered, tensor.begin < covered ? "overlap" : "hole"));
    }
    covered = tensor.end;
    if (covered > data_bytes) {
      throw Error(ErrorKind::truncated,
                  fmt::format("{}: tensor '{}' ends at byte {} of the data, but the file holds only {}; fetch it again",
                              file.shown(), shown_name(tensor.name), covered, data_bytes));
    }
    tensor.begin += data_start;
    tensor.end += data_start;
  }
  if (covered != data_bytes) {
    corrupt(file, fmt::format("{} bytes follow the last tensor", data_bytes - covered));
  }
}

}  // namespace

SafetensorsHeader read_safetensors_header(const File& file) {
  SafetensorsHeader header;
  {
    const std::vector<u8> json = read_json(file, header.json_bytes);
    sv text(reinterpret_cast<const char*>(json.data()), json.size());
    // The format pads with spaces at the end, and only there.
    text = text.substr(0, text.find_last_not_of(' ') + 1);
    Handler(file.shown(), header).parse(text);
  }
  check_unique(file, header.tensors);
  check_unique_metadata(file, header);
  for (const SafetensorsEntry& tensor : header.tensors) check_sizes(file, tensor);
  check_cover(file, header.tensors, 8 + header.json_bytes);
  return header;
}

std::vector<std::pair<std::string, std::string>> safetensors_metadata(Bytes header, sv file) {
  SafetensorsHeader parsed;
  sv text(reinterpret_cast<const char*>(header.data()), header.size());
  text = text.substr(std::min<std::size_t>(8, text.size()));
  Handler(std::string(file), parsed).parse(text.substr(0, text.find_last_not_of(' ') + 1));
  return std::move(parsed.metadata);
}

}  // namespace wcodec
