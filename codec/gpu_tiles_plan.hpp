// The host's part of restoring tiled planes on the GPU: what a record has about tiles, spelled out in the image.
#pragma once

#include <vector>

#include "codec/gpu_tiles.hpp"
#include "codec/plane_side.hpp"

namespace wcodec {

// Appends a part to the image, whose end is padded to kGpuAlignment; returns where it begins.
u64 place_in_image(std::vector<u8>& image, const void* data, std::size_t size);

// What stands before the coded symbols of a plane of a record that is not plain. Throws as decoding does, and
// Error{unsupported} for predictors of plug-ins.
GpuTiles plan_tiles(const RecordHeader& header, const PlaneInfo& plane, ByteReader& in, std::vector<u8>& image);
// And behind them.
void plan_escapes(GpuTiles& tiles, ByteReader& in, std::vector<u8>& image);

}  // namespace wcodec
