// Decoded symbols of a tiled plane to the plane itself, on the caller's stream: transformed blocks are undone, then
// predictions, then tiles are put where they belong. Nothing is allocated and nothing waits.
#pragma once

#include "codec/gpu_dequantize.hpp"

namespace wcodec {

// Device memory, each at a multiple of 16: `image` of the plan; `symbols` in coding order, a byte each, which may be
// overwritten; `out` receives the words' bytes (the plane's symbols, where words are several planes), row-major;
// `places` has escape_scratch(tiles) bytes. Faults go to `status`, as those of decoding (entropy/gpu_stream.hpp).
void gpu_reconstruct(const GpuTiles& tiles, const u8* image, u8* symbols, u8* out, u32* places, u64* status,
                     CUstream_st* stream);

// Tiles of at most this side pass through shared memory,
inline constexpr int kMaxSharedSide = 64;
constexpr bool is_small(const GpuTiles& tiles) noexcept {
  return tiles.tile_rows <= kMaxSharedSide && tiles.tile_cols <= kMaxSharedSide;
}
// and can be written as weights at once. `values`: where in the image the values of words are.
void gpu_reconstruct_weights(const GpuTiles& tiles, const GpuDequantize& how, u64 values, const u8* image, u8* symbols,
                             u8* weights, u32* places, u64* status, CUstream_st* stream);

}  // namespace wcodec
