// Checkpoints made of one or more .safetensors files.
#pragma once

#include <memory>

#include "core/sources/file.hpp"
#include "core/sources/safetensors_header.hpp"
#include "core/sources/source.hpp"

namespace wcodec {

class SafetensorsCheckpoint : public Checkpoint {
 public:
  // Tensors in the order of `paths`, and inside a file in the order of their bytes. Throws Error{corrupt} when two
  // files have a tensor of one name.
  SafetensorsCheckpoint(const std::vector<std::string>& paths, const OpenOptions& options);

  void read_rows(std::size_t index, i64 first, i64 count, MutBytes out) const override;

  // What is needed to write a file again byte for byte: its first bytes (length, JSON, padding) as they stand, and
  // which tensors follow them in which order (those whose `file_of` is `file`, without gaps).
  std::vector<u8> preamble(std::size_t file) const;
  u64 preamble_bytes(std::size_t file) const { return preamble_bytes_.at(file); }
  // The index of shards it was opened through, empty without one.
  const std::string& shard_index() const noexcept { return shard_index_; }
  void set_shard_index(std::string path) { shard_index_ = std::move(path); }
  std::size_t file_of(std::size_t index) const { return places_.at(index).file; }
  const std::vector<std::pair<std::string, std::string>>& metadata(std::size_t file) const {
    return metadata_.at(file);
  }

 private:
  struct Place {
    u32 file;
    u64 offset;
  };
  void add(u32 file, SafetensorsHeader header, const OpenOptions& options);
  void check_unique() const;

  std::vector<File> open_;
  std::vector<u64> preamble_bytes_;
  std::vector<std::vector<std::pair<std::string, std::string>>> metadata_;
  std::vector<Place> places_;
  std::string shard_index_;
};

// The checkpoint as safetensors, through a view if there is one; null for other kinds.
const SafetensorsCheckpoint* as_safetensors(const Checkpoint& checkpoint) noexcept;

}  // namespace wcodec
