#include "core/sources/safetensors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/error.hpp"
#include "core/sources/describe.hpp"

namespace wcodec {

SafetensorsCheckpoint::SafetensorsCheckpoint(const std::vector<std::string>& paths, const OpenOptions& options) {
  for (const std::string& path : paths) {
    const File& file = open_.emplace_back(path);
    files_.push_back(path);
    add(static_cast<u32>(open_.size() - 1), read_safetensors_header(file), options);
  }
  if (paths.size() > 1) check_unique();
}

void SafetensorsCheckpoint::add(u32 file, SafetensorsHeader header, const OpenOptions& options) {
  preamble_bytes_.push_back(8 + header.json_bytes);
  metadata_.push_back(std::move(header.metadata));
  places_.reserve(places_.size() + header.tensors.size());
  tensors_.reserve(tensors_.size() + header.tensors.size());
  for (SafetensorsEntry& entry : header.tensors) {
    places_.push_back({file, entry.begin});
    tensors_.push_back(describe_tensor(std::move(entry.name), entry.dtype, std::move(entry.shape),
                                       entry.end - entry.begin, std::string(info(entry.dtype).name)));
    tensors_.back().file = file;
    check_tensor_size(files_.back(), tensors_.back(), options.max_tensor_bytes);
  }
}

void SafetensorsCheckpoint::check_unique() const {
  std::vector<std::size_t> order(tensors_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return tensors_[a].name < tensors_[b].name; });
  const auto same = [&](auto a, auto b) { return tensors_[a].name == tensors_[b].name; };
  if (const auto it = std::adjacent_find(order.begin(), order.end(), same); it != order.end()) {
    throw Error(
        ErrorKind::corrupt,
        fmt::format("{} is also in {}; give the file or the index that belongs to one model",
                    tensor_label(files_[file_of(it[1])], tensors_[*it].name), printable(files_[file_of(it[0])])));
  }
}

void SafetensorsCheckpoint::read_rows(std::size_t index, i64 first, i64 count, MutBytes out) const {
  const TensorInfo& tensor = tensors_.at(index);
  check_rows(tensor, first, count, out.size());
  const u64 row_bytes = static_cast<u64>(tensor.cols) * static_cast<u64>(info(tensor.dtype).memory_bytes);
  open_[places_[index].file].read_at(places_[index].offset + static_cast<u64>(first) * row_bytes, out);
}

std::vector<u8> SafetensorsCheckpoint::preamble(std::size_t file) const {
  std::vector<u8> bytes(preamble_bytes_.at(file));
  open_[file].read_at(0, bytes);
  return bytes;
}

}  // namespace wcodec
