#include "codec/lossy_checkpoint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <span>
#include <unordered_map>

#include "codec/container_reader.hpp"
#include "core/error.hpp"
#include "core/output_file.hpp"
#include "core/sources/describe.hpp"
#include "quantizers/half.hpp"

namespace wcodec {
namespace {

constexpr int kVersion = 1;
constexpr sv kRowSuffix = ".row_exponents", kColumnSuffix = ".col_exponents";
constexpr i64 kRowsAtOnce = 256;

using Metadata = std::vector<std::pair<std::string, std::string>>;

const std::string* find_description(const Metadata& metadata) {
  const auto it =
      std::find_if(metadata.begin(), metadata.end(), [](const auto& pair) { return pair.first == kLossyKey; });
  return it == metadata.end() ? nullptr : &it->second;
}

// A tensor of the container and what becomes of it.
struct Item {
  std::size_t index = 0;
  bool on_grid = false;
  int base = 0;
  std::vector<u8> row_exponents, column_exponents;
};

// `steps` are those of the row, by the column's exponent; `out` takes two bytes a word.
void restore_row(const u8* words, const float* steps, std::span<const u8> exponents, u8* out) noexcept {
  for (std::size_t c = 0; c < exponents.size(); ++c) {
    const u16 half = float_to_bf16(static_cast<float>(static_cast<i8>(words[c])) * steps[exponents[c]]);
    std::memcpy(out + 2 * c, &half, 2);
  }
}

class Restorer {
 public:
  Restorer(const std::string& source, const DecodeOptions& options)
      : source_(source), options_(options), reader_(ContainerReader::open(source, limits(options))) {
    if (reader_->source_files().size() == 1) metadata_ = reader_->metadata(0);
    const std::string* const description = find_description(metadata_);
    if (description == nullptr) {
      throw Error(ErrorKind::unsupported, fmt::format("{}: holds no lossy model (its metadata has no '{}'); decode it "
                                                      "as it is stored",
                                                      printable(source), kLossyKey));
    }
    plan(parse_lossy_description(*description, source));
  }

  CodecStats run(const std::string& destination) {
    const auto begun = std::chrono::steady_clock::now();
    OutputFile output(destination, options_.overwrite);
    output.append(header());
    for (const Item& item : items_) copy(item, output);
    output.commit();
    CodecStats stats;
    stats.source_bytes = output.size();
    stats.container_bytes = reader_->container_bytes();
    stats.tensor_bytes = done_;
    stats.layers = items_.size();
    stats.files = 1;
    for (const Item& item : items_) stats.weights += tensor(item).weights();
    for (const LayerInfo& layer : reader_->layers()) stats.parts += layer.parts;
    stats.ledger = reader_->ledger();
    stats.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    return stats;
  }

 private:
  static ReadLimits limits(const DecodeOptions& options) {
    return {.max_tensor_bytes = options.max_output_bytes, .max_part_weights = options.max_part_weights};
  }

  const TensorInfo& tensor(const Item& item) const { return reader_->tensors()[item.index]; }
  static u64 bytes_of(const Item& item, const TensorInfo& tensor) {
    return item.on_grid ? 2 * tensor.weights() : tensor.memory_bytes();
  }

  [[noreturn]] void corrupt(sv name, sv what) const {
    throw Error(ErrorKind::corrupt, fmt::format("{}: {}", tensor_label(source_, name), what));
  }

  void plan(const std::map<std::string, int>& bases) {
    const auto& tensors = reader_->tensors();
    std::unordered_map<std::string, std::size_t> places;
    for (std::size_t i = 0; i < tensors.size(); ++i) places.emplace(tensors[i].name, i);
    std::vector<bool> exponents(tensors.size(), false);
    std::vector<Item> items(tensors.size());
    for (std::size_t i = 0; i < tensors.size(); ++i) items[i].index = i;
    for (const auto& [name, base] : bases) {
      const auto at = places.find(name);
      if (at == places.end()) corrupt(name, "is described, but not there");
      const TensorInfo& words = tensors[at->second];
      if (words.dtype != DType::int8 || words.shape.size() != 2) corrupt(name, "is no matrix of I8 words");
      Item& item = items[at->second];
      item.on_grid = true;
      item.base = base;
      item.row_exponents = read_exponents(places, exponents, name, kRowSuffix, words.rows);
      item.column_exponents = read_exponents(places, exponents, name, kColumnSuffix, words.cols);
      const auto largest = [](const std::vector<u8>& v) {
        return v.empty() ? 0 : *std::max_element(v.begin(), v.end());
      };
      // Words are at most 128 = 2^7, so values stay finite.
      if (base + largest(item.row_exponents) + largest(item.column_exponents) > kMaxLossyExponent - 7 * kLossyGrid)
        corrupt(name, "has steps that are out of range");
    }
    u64 total = 0;
    for (Item& item : items) {
      if (exponents[item.index]) {
        if (item.on_grid) corrupt(tensors[item.index].name, "is both a matrix and exponents of one");
        continue;
      }
      if (__builtin_add_overflow(total, bytes_of(item, tensor(item)), &total) || total > options_.max_output_bytes) {
        throw Error(ErrorKind::limit,
                    fmt::format("{}: its weights take more than the limit of {} bytes; raise the limit "
                                "to restore it",
                                printable(source_), options_.max_output_bytes));
      }
      items_.push_back(std::move(item));
    }
    total_ = total;
  }

  std::vector<u8> read_exponents(const std::unordered_map<std::string, std::size_t>& places, std::vector<bool>& taken,
                                 const std::string& name, sv suffix, i64 count) const {
    const auto at = places.find(name + std::string(suffix));
    if (at == places.end()) corrupt(name, fmt::format("has no '{}'", suffix));
    const TensorInfo& exponents = reader_->tensors()[at->second];
    if (exponents.dtype != DType::uint8 || exponents.shape != std::vector<i64>{count})
      corrupt(exponents.name, fmt::format("is not {} exponents of U8", count));
    taken[at->second] = true;
    return reader_->read(at->second);
  }

  // Length, JSON, and spaces up to a multiple of 8, as the format asks for.
  std::vector<u8> header() const {
    nlohmann::ordered_json json;
    nlohmann::ordered_json& metadata = json["__metadata__"] = nlohmann::ordered_json::object();
    for (const auto& [key, value] : metadata_)
      if (key != kLossyKey) metadata[key] = value;
    if (!metadata.contains(kLossySettingsKey)) metadata[std::string(kLossySettingsKey)] = "";
    u64 offset = 0;
    for (const Item& item : items_) {
      const TensorInfo& info_of = tensor(item);
      const u64 size = bytes_of(item, info_of);
      json[info_of.name] = {{"dtype", info(item.on_grid ? DType::bf16 : info_of.dtype).name},
                            {"shape", info_of.shape},
                            {"data_offsets", {offset, offset + size}}};
      offset += size;
    }
    std::string text = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::strict);
    text.append((8 - text.size() % 8) % 8, ' ');
    std::vector<u8> bytes(8 + text.size());
    const u64 length = text.size();
    std::memcpy(bytes.data(), &length, 8);
    std::memcpy(bytes.data() + 8, text.data(), text.size());
    return bytes;
  }

  void copy(const Item& item, OutputFile& output) {
    const TensorInfo& info_of = tensor(item);
    const auto width = static_cast<u64>(info_of.cols) * static_cast<u64>(info(info_of.dtype).memory_bytes);
    // By the sum of a row's and a column's exponent: a step is looked up, not computed, in the loop over weights.
    std::array<float, 511> steps{};
    for (int sum = 0; item.on_grid && sum < static_cast<int>(steps.size()); ++sum)
      steps[static_cast<std::size_t>(sum)] = lossy_step(std::min(item.base + sum, kMaxLossyExponent));
    std::vector<u8> stored, halves;
    for (i64 first = 0; first < info_of.rows; first += kRowsAtOnce) {
      const i64 count = std::min(kRowsAtOnce, info_of.rows - first);
      stored.resize(static_cast<u64>(count) * width);
      reader_->read_rows(item.index, first, count, stored);
      if (item.on_grid) {
        halves.resize(2 * stored.size());
        for (i64 r = 0; r < count; ++r) {
          restore_row(stored.data() + static_cast<u64>(r) * width,
                      steps.data() + item.row_exponents[static_cast<std::size_t>(first + r)], item.column_exponents,
                      halves.data() + 2 * static_cast<u64>(r) * width);
        }
      }
      output.append(item.on_grid ? halves : stored);
      done_ += item.on_grid ? halves.size() : stored.size();
      if (options_.progress && !options_.progress({done_, total_, info_of.name}))
        throw Error(ErrorKind::cancelled, "restoring was cancelled");
    }
  }

  const std::string& source_;
  const DecodeOptions& options_;
  std::unique_ptr<ContainerReader> reader_;
  Metadata metadata_;
  std::vector<Item> items_;
  u64 total_ = 0, done_ = 0;
};

}  // namespace

bool is_lossy_container(const std::string& path) {
  const auto reader = ContainerReader::open(path);
  return reader->source_files().size() == 1 && find_description(reader->metadata(0)) != nullptr;
}

std::map<std::string, int> parse_lossy_description(sv text, sv file) {
  const auto fail = [&](sv what) {
    throw Error(ErrorKind::corrupt, fmt::format("{}: metadata '{}': {}", printable(file), kLossyKey, what));
  };
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("version") || !json.contains("bases") || !json["bases"].is_object())
    fail("is not an object with version and bases");
  if (json["version"] != kVersion) {
    throw Error(ErrorKind::unsupported, fmt::format("{}: lossy layout {} is not known; this build reads {}",
                                                    printable(file), shown_name(json["version"].dump()), kVersion));
  }
  std::map<std::string, int> bases;
  for (const auto& [name, base] : json["bases"].items()) {
    if (!base.is_number_integer() || base < -kMaxLossyExponent || base > kMaxLossyExponent)
      fail(fmt::format("the base of '{}' is no whole number in reach", shown_name(name)));
    bases.emplace(name, base.get<int>());
  }
  return bases;
}

float lossy_step(int exponent) noexcept {
  // 2^(k/8), rounded to float32.
  static constexpr std::array<float, kLossyGrid> kEighths = {0x1p+0f,        0x1.172b84p+0f, 0x1.306fep+0f,
                                                             0x1.4bfdaep+0f, 0x1.6a09e6p+0f, 0x1.8ace54p+0f,
                                                             0x1.ae89fap+0f, 0x1.d5818ep+0f};
  const int octave = exponent >= 0 ? exponent / kLossyGrid : -((kLossyGrid - 1 - exponent) / kLossyGrid);
  return std::ldexp(kEighths[static_cast<std::size_t>(exponent - octave * kLossyGrid)], octave);
}

CodecStats restore_lossy(const std::string& source, const std::string& destination, const DecodeOptions& options) {
  return Restorer(source, options).run(destination);
}

}  // namespace wcodec
