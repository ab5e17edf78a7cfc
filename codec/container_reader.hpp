// One opened `.wcodec` container: its layers and their accounts, and random access to rows.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/ledger.hpp"
#include "core/sources/source.hpp"
#include "core/tensor.hpp"

namespace wcodec {

class RecordDecoder;
namespace container {
struct ContainerFile;
}

struct ReadLimits {
  u64 max_tensor_bytes = u64{1} << 40;  // in memory, as in OpenOptions
  u64 max_part_weights = u64{1} << 26;
};

// A tensor of a source file, as the container stores it.
struct LayerInfo {
  std::string name;         // as in the file: print it through `printable`
  std::string source_type;  // "BF16", "Q4_K"
  std::vector<i64> shape;
  u64 weights = 0;
  u64 source_bytes = 0, coded_bytes = 0;  // in the source file, and of its records here
  u64 parts = 0;
  std::string stages;                  // "16x16 none rans:…" of its planes
  std::size_t file = 0;                // index into source_files()
  std::size_t tensor = 0, planes = 0;  // its tensors: tensors()[tensor … tensor + planes)
};

struct SourceFileInfo {
  std::string name;  // a plain file name, without a directory
  u64 bytes = 0;
  u64 raw_bytes = 0, coded_raw_bytes = 0;  // those that belong to no tensor: header, metadata, padding
};

// As a Checkpoint it shows the tensors that the source files have: a quantized tensor of a GGUF file as its planes
// (core/sources/gguf.hpp), everything else as it stands there. Immutable after opening; every function may be called
// from many threads at once. What is read is checked: each record's checksum, and that it belongs to its place.
class ContainerReader : public Checkpoint {
 public:
  // Reads and checks everything but the layers' records. Throws Error{not_found | io | truncated | corrupt |
  // unsupported | limit}.
  // `decoder` decodes what is read; the CPU where it is null.
  static std::unique_ptr<ContainerReader> open(const std::string& path, const ReadLimits& limits = {},
                                               std::shared_ptr<RecordDecoder> decoder = nullptr);
  ~ContainerReader() override;
  ContainerReader(const ContainerReader&) = delete;
  ContainerReader& operator=(const ContainerReader&) = delete;

  const std::vector<LayerInfo>& layers() const noexcept;
  const std::vector<SourceFileInfo>& source_files() const noexcept;
  const std::string& model_name() const noexcept;
  const Ledger& ledger() const noexcept;  // of all bytes of the container
  u64 container_bytes() const noexcept;
  u64 source_bytes() const noexcept;

  // Decodes the parts that the rows lie in. The last few parts decoded are kept, so that reading on is cheap.
  void read_rows(std::size_t index, i64 first, i64 count, MutBytes out) const override;
  // Rows of a tensor that are decoded together: pieces of that many, from multiples of it, decode nothing twice.
  i64 rows_per_part(std::size_t index) const;
  // The bytes of source file `file` that belong to no tensor, in order. Throws Error{limit} above `max_bytes`.
  std::vector<u8> read_raw(std::size_t file, u64 max_bytes = u64{1} << 28) const;
  // `__metadata__` of a safetensors file, in its order; empty for others.
  std::vector<std::pair<std::string, std::string>> metadata(std::size_t file) const;

  // The container itself, and which of its layers a tensor belongs to, as which plane: for codec/ alone.
  const container::ContainerFile& opened() const noexcept;
  struct Plane {
    std::size_t layer, plane;
  };
  Plane plane_of(std::size_t tensor) const;

 private:
  struct State;
  explicit ContainerReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Whether the file at `path` begins like a container. False for what cannot be read.
bool is_container(const std::string& path) noexcept;

// A container or any address of open_checkpoint, with views on either.
std::unique_ptr<Checkpoint> open_any_checkpoint(const std::string& address, const OpenOptions& options = {},
                                                std::shared_ptr<RecordDecoder> decoder = nullptr);

}  // namespace wcodec
