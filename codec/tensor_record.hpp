// Constants and header of the tensor record, shared by its writer and its readers. The normative text is
// docs/format.md.
#pragma once

#include "codec/plane_transform.hpp"
#include "core/bytes.hpp"
#include "core/ledger_writer.hpp"
#include "core/tile.hpp"
#include "entropy/registry.hpp"
#include "predictors/registry.hpp"
#include "quantizers/quantized.hpp"

namespace wcodec {

namespace record {

inline constexpr u32 kMagic = 0x30544357;    // "WCT0"
inline constexpr u8 kTransformIdentity = 0;  // otherwise the number of transforms, whose ids follow
inline constexpr int kMaxTransforms = 16;
inline constexpr int kMaxModes = 64;

}  // namespace record

struct RecordHeader {
  WordFormat format;
  TileGrid grid;
  TransformSet transforms;
  const EntropyCoder* coder;
  std::vector<PredictorChoice> modes;
  u64 scale_bytes;

  // Residuals of `none` in row-major order are the symbols, but for what they are counted from.
  bool is_plain() const noexcept;
};

// What a record begins with. Booked under `header`.
void write_record_header(const RecordHeader& header, LedgerWriter& out);
// The record without its checksum, which is right, or Error{truncated | corrupt}.
Bytes checked_record_body(Bytes record);
// Throws Error{corrupt | truncated | unsupported | limit}.
RecordHeader read_record_header(ByteReader& in, u64 max_weights);

}  // namespace wcodec
