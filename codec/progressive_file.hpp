// A checkpoint by bit planes: a file of which any beginning decodes, the more of it the better. Tensors of two or more
// dimensions with elements of at most 32 bits are progressive records (progressive.hpp); all others, norms and biases
// among them, are exact tensor records that stand first. Planes of all layers are interleaved by significance, so that
// cutting the file anywhere cuts all layers alike. The bytes are in docs/format.md.
//
// Every function throws wcodec::Error whose message names file, place and layer.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "codec/progressive.hpp"
#include "core/dtype.hpp"
#include "core/sources/file.hpp"

namespace wcodec {

struct ProgressiveLayer {
  std::string name;  // as in the source; may hold anything: print it through `printable`
  DType dtype = DType::uint8;
  std::vector<i64> shape;
  i64 rows = 0, cols = 0;
  bool is_exact = false;         // a tensor record, there as a whole
  u64 head_bytes = 0;            // of the record, or of what stands before its planes
  std::vector<u64> plane_bytes;  // with their checksums
  u64 weights() const noexcept { return static_cast<u64>(rows) * static_cast<u64>(cols); }
};

struct ProgressiveEncodeOptions {
  ProgressiveOptions progressive;            // of integers of at most 8 bits; others have the defaults
  std::map<std::string, std::string> views;  // as EncodeOptions::views
  std::string preset;                        // of the exact records
  bool overwrite = false;
  // Called after each layer; false asks to stop: Error{cancelled}.
  std::function<bool(u64 bytes_done, u64 bytes_total, sv layer)> progress;
};

struct ProgressiveFileStats {
  u64 source_bytes = 0, file_bytes = 0;  // bytes of the tensors at their native width; of the file
  u64 weights = 0, layers = 0, exact_layers = 0;
  int planes = 0;  // most planes of a layer
  Ledger ledger;   // ledger.total() == file_bytes
};

// `source` is an address of open_checkpoint. All records are held in memory until they are written.
// Throws Error{unsupported} where no tensor has planes.
ProgressiveFileStats encode_progressive_file(const std::string& source, const std::string& destination,
                                             const ProgressiveEncodeOptions& options = {});

// One layer, as good as the planes allow that were asked for.
struct ProgressiveLayerData {
  std::vector<u8> words;           // row-major, of the layer's dtype
  u32 bound = 0;                   // no word is off by more steps: as ProgressiveTensor
  double value_bound = 0;          // the same in value
  int planes = 0, all_planes = 0;  // 0 and 0 of an exact layer
};

// A file of that kind, or the beginning of one. May be used by many threads at once.
class ProgressiveFile {
 public:
  // Throws Error{truncated} where even the index or the exact records are cut.
  static ProgressiveFile open(const std::string& path);

  const std::vector<ProgressiveLayer>& layers() const noexcept { return layers_; }
  int planes() const noexcept { return planes_; }  // most planes of a layer
  u64 whole_bytes() const noexcept { return whole_bytes_; }
  u64 bytes() const noexcept { return file_.size(); }
  // Planes of a layer that are whole in this file.
  int planes_here(std::size_t layer) const noexcept;
  // The least size of a file that has the first `planes` planes of every layer.
  u64 bytes_for(int planes) const noexcept;
  // From at most `planes` planes (kAllPlanes: all that are here). Throws Error{limit} for a layer of more weights than
  // `max_weights`, or without it than default_weight_limit of the file's size.
  ProgressiveLayerData read(std::size_t layer, int planes = kAllPlanes, std::optional<u64> max_weights = {}) const;

 private:
  explicit ProgressiveFile(File file) : file_(std::move(file)) {}
  File file_;
  std::vector<ProgressiveLayer> layers_;
  std::vector<u64> head_offset_;
  std::vector<std::vector<u64>> plane_offset_;  // of each layer
  u64 whole_bytes_ = 0;
  int planes_ = 0;
};

struct ProgressiveDecodeOptions {
  int planes = kAllPlanes;
  u64 max_output_bytes = u64{1} << 42;
  bool overwrite = false;
  std::function<bool(u64 bytes_done, u64 bytes_total, sv layer)> progress;
};

// What each layer of a decoded file is off by at most.
struct ProgressiveBound {
  std::string name;
  u32 bound = 0;           // in steps of a word
  double value_bound = 0;  // in value
  int planes = 0, all_planes = 0;
};

// Writes the layers to a safetensors file, which appears when it is complete. Elements of 4 to 6 bits become bytes, as
// safetensors has no narrower ones.
std::vector<ProgressiveBound> decode_progressive_file(const std::string& source, const std::string& destination,
                                                      const ProgressiveDecodeOptions& options = {});

}  // namespace wcodec
