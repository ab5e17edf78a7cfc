// What stands before the coded symbols of a plane that is tiled, predicted or transformed: modes, parameters and
// transforms. Shared by all decoders of tensor records.
#pragma once

#include <vector>

#include "codec/tensor_record.hpp"
#include "quantizers/planes.hpp"

namespace wcodec {

struct PlaneSide {
  std::vector<u8> mode_of_tile;        // index into the header's modes, for every tile
  std::vector<Bytes> plane_params;     // of each mode, empty for those without; they lie in the record
  std::vector<u8> tile_params;         // of the tiles whose mode has some, in tile order
  std::vector<u8> transform_of_block;  // index into the header's transforms; empty if there is one
};

// Throws Error{corrupt | truncated}.
PlaneSide read_plane_side(ByteReader& in, const RecordHeader& header, const PlaneInfo& plane);

}  // namespace wcodec
