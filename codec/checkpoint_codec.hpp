// Checkpoints to `.wcodec` containers and back, whole: what `wcodec encode`, `decode` and `verify` do, and what the C
// API and the Python package offer. Reading single layers is container_reader.hpp; the bytes are docs/format.md.
//
// Every function throws wcodec::Error whose message names file, place and layer, and leaves nothing under the
// destination's name unless it has returned.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/ledger.hpp"
#include "core/types.hpp"

namespace wcodec {

struct GpuRuntime;

struct CodecProgress {
  u64 bytes_done, bytes_total;  // of the source
  sv layer;                     // that has just been finished, in whole or in part; as in the file, see `printable`
};
// Called on the thread that called the codec, never at the same time as itself. False asks to stop: Error{cancelled}.
using ProgressCallback = std::function<bool(const CodecProgress&)>;

inline constexpr u64 kDefaultPartWeights = u64{1} << 22;

struct EncodeOptions {
  std::string preset;  // "ratio", "balanced" (also where empty) or "speed": see presets.hpp
  // Stages as in an experiment, instead of the preset's; empty ones are chosen by layer_plan.hpp.
  std::string tile;                // "16x16"
  std::vector<std::string> modes;  // {"none", "left"}
  std::string coder;               // "rans:tables=row-col-scale,contexts=64"
  std::string transform;           // "dct8", "probe"
  // Tensor-name glob → how packed codes are to be understood while they are coded ("int4:nibbles=low-first,bias=8",
  // core/sources/view.hpp). Only how well a layer is compressed depends on it; what comes back are the bytes of the
  // file.
  std::map<std::string, std::string> views;
  std::string model_name;  // kept in the container, shown by `wcodec info`
  // Layers are cut into parts of at most this many weights (and 4 bytes for each of them), which are coded one by one.
  u64 part_weights = kDefaultPartWeights;
  unsigned threads = 0;  // 0: as many as the machine runs at once. The bytes do not depend on it
  // Bound on the working memory of parts in flight; 0: threads + 2 parts, about 31 bytes a weight of F32 and 13 of
  // INT8. One part is always in flight; otherwise fewer threads run. The bytes do not depend on it.
  u64 memory_bytes = 0;
  bool verify = true;  // decode every part again and compare before it is written
  bool overwrite = false;
  ProgressCallback progress;
};

struct CodecStats {
  u64 source_bytes = 0;     // of all files of the checkpoint
  u64 container_bytes = 0;  // of the container
  u64 tensor_bytes = 0;     // of source_bytes, those that belong to tensors
  u64 weights = 0;          // a packed byte counts as its two codes where it is coded so
  u64 layers = 0, parts = 0, files = 0;
  Ledger ledger;  // ledger.total() == container_bytes
  double seconds = 0;
  // Of decoding: which device was chosen, how many records it and the CPU decoded, and why the CPU where it was not.
  std::string device = "cpu", note;
  u64 gpu_records = 0, cpu_records = 0;
  double ratio() const noexcept {
    return container_bytes == 0 ? 0 : static_cast<double>(source_bytes) / static_cast<double>(container_bytes);
  }
};

// `source` is an address as open_checkpoint takes it (file, directory, index of shards, pip:, hf://), but no synthetic
// one: the container holds files, to be written again byte for byte.
CodecStats encode_checkpoint(const std::string& source, const std::string& destination,
                             const EncodeOptions& options = {});

struct DecodeOptions {
  // What decodes, as choose_device takes it; every byte is checked on the CPU afterwards. A GPU holds threads + 2
  // records at a time, at most, with what they decode to.
  std::string device = "cpu";
  const GpuRuntime* gpu = nullptr;  // other than gpu_runtime(), for tests
  unsigned threads = 0;
  u64 memory_bytes = 0;                 // as above, about 15 bytes a weight of F32, 6 of INT8
  u64 max_output_bytes = u64{1} << 42;  // a container that says it holds more is refused
  u64 max_part_weights = u64{1} << 26;  // likewise a part of a layer
  bool overwrite = false;
  ProgressCallback progress;
};

// Writes what was encoded: one file to `destination`, or several into the new directory `destination`.
CodecStats decode_checkpoint(const std::string& source, const std::string& destination,
                             const DecodeOptions& options = {});

// Decodes all that a container holds and checks every byte of it, as decode_checkpoint does, but writes nothing.
CodecStats check_container(const std::string& source, const DecodeOptions& options = {});

struct VerifyOptions {
  double atol = 0;  // largest absolute difference that counts as equal; 0: bit for bit (so that NaN equals itself)
  unsigned threads = 0;
  u64 memory_bytes = 0;
  std::string device = "cpu";       // decodes what is a container, as in DecodeOptions
  const GpuRuntime* gpu = nullptr;  // other than gpu_runtime(), for tests
  ProgressCallback progress;        // bytes are those of `a` in memory
};

struct TensorComparison {
  std::string name;
  std::string
      problem;  // "only in A", "shape 2x3 against 3x2", "dtype F32 against BF16"; empty where values were compared
  u64 weights = 0;
  u64 different = 0;          // weights that differ by more than atol, or at all where atol is 0
  double max_difference = 0;  // among the weights that are numbers; infinity where one side is NaN and the other is not
  bool equal() const noexcept { return problem.empty() && different == 0; }
};

struct VerifyReport {
  std::vector<TensorComparison> tensors;  // in the order of `a`, then those that only `b` has
  u64 weights = 0;
  double seconds = 0;
  std::string device = "cpu", note;  // as in CodecStats
  u64 gpu_records = 0, cpu_records = 0;
  bool equal() const noexcept;
};

// Either side may be a container or any address of open_checkpoint.
VerifyReport verify_checkpoints(const std::string& a, const std::string& b, const VerifyOptions& options = {});

}  // namespace wcodec
