// A quantized tensor to bytes and back: planes, tiles, predictors, entropy coder, checksum. The bytes are a tensor
// record (docs/format.md): all that a decoder needs besides them is a limit on how much it may allocate.
#pragma once

#include <algorithm>
#include <memory>
#include <span>
#include <vector>

#include "codec/plane_transform.hpp"
#include "core/ledger.hpp"
#include "core/tile.hpp"
#include "entropy/registry.hpp"
#include "predictors/registry.hpp"
#include "quantizers/planes.hpp"

namespace wcodec {

// Which predictor each tile of a plane uses, and what is left to code.
struct ModeChoice {
  std::vector<u8> mode_of_tile;  // index into the mode set
  std::vector<u8> residuals;     // in coding order
  std::vector<u8> plane_params;  // of the plane-wide predictors in the set, in set order
  std::vector<u8> tile_params;   // of the tiles that chose a predictor with tile parameters, in tile order
  std::vector<u64> residual_counts;
  u64 tiles_with(std::size_t mode) const noexcept;
};

// One plane cut into tiles of one shape, with the residuals of every predictor asked for computed once and kept: mode
// sets and coders share them. Memory: one byte a weight for each predictor, plus 8 bytes a tile.
class PlanePredictions {
 public:
  PlanePredictions(const SymbolPlane& plane, TileGrid grid);
  ~PlanePredictions();
  PlanePredictions(PlanePredictions&&) noexcept;

  const SymbolPlane& plane() const noexcept { return plane_; }
  const TileGrid& grid() const noexcept { return grid_; }
  // Histogram of the residuals when every tile uses this predictor (2^bits counts).
  const std::vector<u64>& counts(const PredictorChoice& predictor);
  // The rule of the mode decision: bits of each tile under the table of `none` (½ added to each count, costs in 1/65536
  // bit), parameters included; the table is rebuilt from the residuals chosen and every tile chooses once more. Ties go
  // to the first in the set.
  ModeChoice choose(std::span<const PredictorChoice> modes);

 private:
  struct Predicted;
  Predicted& predicted(const PredictorChoice& predictor);
  std::vector<u64> tile_costs(const Predicted& predicted, std::span<const u32> costs) const;

  const SymbolPlane& plane_;
  TileGrid grid_;
  std::vector<std::unique_ptr<Predicted>> cache_;
};

struct EncodedTensor {
  std::vector<u8> bytes;
  Ledger ledger;  // ledger.total() == bytes.size()
};

// Writes the record of `tensor`: one ModeChoice a plane, made with `modes` and `shape`. `planes` are
// split_planes(tensor). `transformed`: for each plane the residuals of its ModeChoice through `transforms`; empty for
// the identity.
EncodedTensor encode_record(const QuantizedTensor& tensor, std::span<const SymbolPlane> planes, TileShape shape,
                            std::span<const PredictorChoice> modes, std::span<const ModeChoice> choices,
                            const CoderChoice& coder, const TransformSet& transforms = identity_transform(),
                            std::span<const TransformedPlane> transformed = {});
// What encode_record wants to have of each plane.
std::vector<TransformedPlane> transform_planes(std::span<const SymbolPlane> planes, std::span<const ModeChoice> choices,
                                               const TileGrid& grid, const TransformSet& transforms);

// Tiles of one row: coding order is row-major, and without prediction nothing has to be cut into tiles at all.
inline constexpr TileShape kUntiled{1, kMaxTileSide};

// All in one: splits, predicts, chooses, transforms, writes.
EncodedTensor encode_tensor(const QuantizedTensor& tensor, TileShape shape, std::span<const PredictorChoice> modes,
                            const CoderChoice& coder, const TransformSet& transforms = identity_transform());

// What a caller accepts who does not say. A constant plane takes a byte whatever its size, so a few bytes may truly
// hold a large matrix; above 2^26 weights they have to be in proportion to what they claim.
inline constexpr u64 kDefaultWeightLimit = u64{1} << 34;
inline constexpr u64 kSmallWeightLimit = u64{1} << 26, kWeightsPerByteLimit = 4096;
constexpr u64 default_weight_limit(u64 record_bytes) noexcept {
  const u64 bytes = std::min(record_bytes, kDefaultWeightLimit / kWeightsPerByteLimit);
  return std::max(kSmallWeightLimit, bytes * kWeightsPerByteLimit);
}

// From the bytes alone. Throws Error{corrupt | truncated | unsupported | limit}; allocates nothing before the CRC is
// checked and the shape is within `max_weights`.
QuantizedTensor decode_tensor(Bytes record, u64 max_weights);
inline QuantizedTensor decode_tensor(Bytes record) {
  return decode_tensor(record, default_weight_limit(record.size()));
}
// The same with the words in the caller's memory: `words` is exactly of their size, or Error{usage}. Returns all but
// the words. Scratch memory, a byte a weight for each plane, is kept by the thread.
QuantizedTensor decode_tensor_into(Bytes record, MutBytes words);

}  // namespace wcodec
