// Encoding on the GPU, the host's part: what memory it takes, what codes suit the counts, what stands before the
// chunks. Records come out byte for byte as encode_tensor writes them for untiled tensors without prediction.
#pragma once

#include <vector>

#include "codec/tensor_codec.hpp"
#include "entropy/gpu_encode_stream.hpp"

namespace wcodec {

struct GpuEncodePlane {
  PlaneInfo info;
  GpuSource source;
  bool is_split;  // its residuals pass through work memory, from `symbols` on; otherwise they are read from the words
  u64 symbols;    // in work memory
  u64 report;     // in work memory: a GpuEncodeReport and a place for each chunk
  u64 output, size;  // in output memory: as many bytes as the plane has uncoded,
  u64 room;          // and some more
};

// For tensors of one shape, format and coder. Memory that the caller has for it, in bytes:
//   image   image_size: tables; at most 20 KiB a plane and 17 KiB
//   work    work_size: 8 bytes for each chunk (of 2^16 weights, where the coder names no size), planes of formats that
//           are split (a byte a weight each), and for each of `warps`, but not for more than there are chunks, two
//           bytes for each weight of a chunk and some
//   output  output_size: that of the words packed at their width, and some bytes
struct GpuEncodePlan {
  i64 rows = 0, cols = 0;
  WordFormat format;
  CoderChoice coder;
  u32 warps = 0;
  std::vector<GpuEncodePlane> planes;
  u64 slots = 0;  // in work memory
  u64 image_size = 0, work_size = 0, output_size = 0;

  u64 weights() const noexcept { return static_cast<u64>(rows) * static_cast<u64>(cols); }
  // Work memory begins with counts of each plane.
  u64 counts_size() const noexcept { return planes.size() * sizeof(GpuCounts); }
  bool is_counted() const noexcept { return coder.row->name != "raw" && weights() > 0; }
};

// `warps`: how many encode at a time, at least 1. Throws Error{unsupported} for coders that only the CPU has: all but
// `raw`, `prefix` and `rans` with one table.
GpuEncodePlan plan_gpu_encode(i64 rows, i64 cols, const WordFormat& format, const CoderChoice& coder, u32 warps);

// How each plane is coded.
struct GpuPlaneCode {
  enum Kind : u8 { nothing, stored, pairs, rans } kind = nothing;
  bool may_store = true;     // where coding turns out longer
  GpuEncodeStream stream{};  // of pairs and rans
  u64 low_size = 0;          // bytes of uncoded bits, which stand behind the chunks
  LedgerWriter header;       // what stands before the index, or before stored bytes
};
struct GpuEncodeCodes {
  std::vector<GpuPlaneCode> planes;
  bool is_joined = false;  // bf16: the first plane's kernel stores the second
  std::vector<u8> image;   // plan.image_size bytes for the device
};

// The codes for what was counted: the first counts_size() bytes of work memory, not looked at where !is_counted().
GpuEncodeCodes choose_gpu_codes(const GpuEncodePlan& plan, std::span<const GpuCounts> counts);

// The header of a plane that is stored, after all or from the beginning.
LedgerWriter stored_plane_header(const GpuEncodePlan& plan);

}  // namespace wcodec
