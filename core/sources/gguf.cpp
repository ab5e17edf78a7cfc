#include "core/sources/gguf.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/error.hpp"
#include "core/sources/describe.hpp"
#include "core/sources/gguf_header.hpp"

namespace wcodec {
namespace {

class GgufCheckpoint : public Checkpoint {
 public:
  GgufCheckpoint(const std::string& path, const OpenOptions& options) : file_(path) {
    files_.push_back(path);
    for (GgufEntry& entry : read_gguf_header(file_)) add_planes(entry, options);
    check_unique();
  }

  void read_rows(std::size_t index, i64 first, i64 count, MutBytes out) const override {
    const TensorInfo& tensor = tensors_.at(index);
    check_rows(tensor, first, count, out.size());
    const Source& source = sources_[index];
    const GgufPlane& plane = *source.plane;
    const u64 blocks_per_row = static_cast<u64>(tensor.cols / plane.per_block);
    const u64 block_bytes = static_cast<u64>(source.type->block_bytes);
    const u64 out_bytes = static_cast<u64>(plane.per_block) * static_cast<u64>(info(plane.dtype).memory_bytes);
    u64 offset = source.offset + static_cast<u64>(first) * blocks_per_row * block_bytes;
    if (source.type->block == 1) return file_.read_at(offset, out);
    u64 left = static_cast<u64>(count) * blocks_per_row;
    const u64 window_blocks = kWindow / block_bytes;
    std::vector<u8> window;
    for (u8* at = out.data(); left > 0;) {
      const u64 blocks = std::min(left, window_blocks);
      window.resize(blocks * block_bytes);
      file_.read_at(offset, window);
      plane.unpack(window.data(), blocks, at);
      offset += window.size();
      at += blocks * out_bytes;
      left -= blocks;
    }
  }

 private:
  static constexpr u64 kWindow = u64{1} << 18;
  struct Source {
    u64 offset;
    const GgufType* type;
    const GgufPlane* plane;
  };

  void add_planes(const GgufEntry& entry, const OpenOptions& options) {
    const u64 blocks = entry.bytes / static_cast<u64>(entry.type->block_bytes);
    for (const GgufPlane& plane : entry.type->planes) {
      std::vector<i64> shape = entry.shape;
      if (!shape.empty()) shape.back() = shape.back() / entry.type->block * plane.per_block;
      // Bits of a plane fill whole bytes in each block, because every field of every type does.
      const u64 bytes = blocks * static_cast<u64>(plane.bits_in_file / 8);
      tensors_.push_back(describe_tensor(entry.name + std::string(plane.suffix), plane.dtype, std::move(shape), bytes,
                                         std::string(entry.type->name)));
      check_tensor_size(files_.front(), tensors_.back(), options.max_tensor_bytes);
      sources_.push_back({entry.offset, entry.type, &plane});
    }
  }

  // A plane's name may meet that of another tensor.
  void check_unique() const {
    std::vector<std::size_t> order(tensors_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](auto a, auto b) { return tensors_[a].name < tensors_[b].name; });
    const auto same = [&](auto a, auto b) { return tensors_[a].name == tensors_[b].name; };
    if (const auto it = std::adjacent_find(order.begin(), order.end(), same); it != order.end()) {
      throw Error(ErrorKind::unsupported, fmt::format("{} has the name of a part of another tensor",
                                                      tensor_label(files_.front(), tensors_[*it].name)));
    }
  }

  File file_;
  std::vector<Source> sources_;
};

}  // namespace

std::unique_ptr<Checkpoint> open_gguf(const std::string& path, const OpenOptions& options) {
  return std::make_unique<GgufCheckpoint>(path, options);
}

}  // namespace wcodec
