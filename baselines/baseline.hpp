// A baseline: a compressor that others wrote, measured beside the codec. One row of function pointers a library,
// because a library is opaque and a call takes micro- to milliseconds.
//
// Accounts. The caller keeps the size of the raw bytes, as it does for its own streams, and gives `decompress` an
// output of exactly that size: no row adds a length field of its own. What else a format writes (magic, its own size
// field, checksum) is counted, and each row's file says what that is.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <string>

#include "core/dtype.hpp"
#include "core/spec.hpp"
#include "core/types.hpp"

namespace wcodec {

// Why a call failed, for the row in failures.csv. A fixed buffer, so that reporting a failure cannot fail.
class Failure {
 public:
  void set(sv text) noexcept {
    size_ = std::min(text.size(), text_.size());
    std::memcpy(text_.data(), text.data(), size_);
  }
  sv text() const noexcept { return {text_.data(), size_}; }

 private:
  std::array<char, 500> text_{};
  std::size_t size_ = 0;
};

// What the bytes are, for rows that compress arrays of numbers: a row-major matrix of little-endian elements. The
// caller knows it when it decompresses as well, so that no row stores it.
struct ArrayInfo {
  DType dtype = DType::uint8;
  i64 rows = 0, cols = 0;  // zero: not a matrix, but as many elements as the bytes make
};

// A spec's options, read once and used for many calls.
struct BaselineOptions {
  int level = 0;
  std::shared_ptr<const void> state;  // what a row needs beyond a level; immutable, so threads may share it
  ArrayInfo array = {};               // the caller's
};

struct Baseline {
  sv name;
  sv help;
  std::span<const OptionInfo> options;

  // Throws Error{usage} for a value that is out of range.
  BaselineOptions (*prepare)(const Baseline& row, const OptionReader& reader);
  // Bytes that `compress` may need for `size` bytes of input; 0 when it cannot take that many.
  std::size_t (*bound)(std::size_t size, const BaselineOptions& options) noexcept;
  // Spans are never null, even empty ones (PreparedBaseline sees to it).
  //
  // Bytes written to `out`, or nothing: too little room, or the library failed. Empty input is valid.
  std::optional<std::size_t> (*compress)(Bytes in, MutBytes out, const BaselineOptions& options, Failure& why) noexcept;
  // `in` may be hostile: true only if all of it was one stream that filled `out` exactly. Never writes past `out`.
  // Formats without a checksum may accept altered input: who needs the bytes to be right compares them.
  bool (*decompress)(Bytes in, MutBytes out, const BaselineOptions& options, Failure& why) noexcept;
  // Version of the library, as it is linked now; part of a cell's identity because it decides the bytes.
  std::string (*version)(const Baseline& row);

  const void* context = nullptr;  // rows from plug-ins: their function table
  bool is_on_gpu = false;         // it works on the first GPU, and is timed there
  bool takes_arrays = false;      // it looks at BaselineOptions::array; symbols of less than a byte come sign-extended
  // Why it cannot work on this machine: a sentence, or empty. Null: it always can.
  std::string (*why_unavailable)(const Baseline& row) = nullptr;
  // Seconds that this thread's last call took on the row's own clock, where the caller's would count more than the
  // compressor: the way to another process and back. Null: the caller's clock counts.
  double (*own_seconds)() noexcept = nullptr;
};

// Why `row` cannot work on this machine: a sentence, or empty.
inline std::string why_unavailable(const Baseline& row) {
  return row.why_unavailable == nullptr ? std::string() : row.why_unavailable(row);
}

// `prepare` of a row whose one option is a level.
template <int Low, int High>
BaselineOptions prepare_level(const Baseline&, const OptionReader& reader) {
  return {static_cast<int>(reader.integer("level", Low, High)), nullptr, {}};
}

}  // namespace wcodec
