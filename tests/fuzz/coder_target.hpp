// An entropy coder's decoder on hostile streams. The first bytes of the input choose the plane's geometry, the rest is
// the stream.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "core/error.hpp"
#include "entropy/lane_kernels.hpp"
#include "entropy/place_contexts.hpp"
#include "entropy/registry.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace wcodec::fuzz {

inline constexpr std::size_t kGeometryBytes = 9;

// `side` gets the exponents that a mantissa's coder may look at, and the bands of coefficients, from the stream's own
// bytes.
inline PlaneGeometry take_geometry(Choices& choices, std::array<std::vector<u8>, 2>& side) {
  const u8 first = choices.byte();
  const int bits = 1 + static_cast<int>(first % 8);
  const i64 rows = choices.below(257), cols = choices.below(257);  // 0 and the 8192 symbols of 32 lanes among them
  const int tile_rows = 1 + static_cast<int>(choices.below(300)), tile_cols = 1 + static_cast<int>(choices.below(300));
  PlaneGeometry geometry{{rows, cols, {tile_rows, tile_cols}}, bits};
  const Bytes rest = choices.rest();
  const auto weights = static_cast<std::size_t>(rows * cols);
  if (first >= 128 && !rest.empty()) {
    for (std::size_t i = 0; i < weights; ++i) side[0].push_back(rest[i % rest.size()]);
    geometry.first_plane = side[0].data();
  }
  if ((first & 64) != 0 && !rest.empty()) {
    for (std::size_t i = 0; i < weights; ++i) side[1].push_back(static_cast<u8>(rest[i % rest.size()] % kBands));
    geometry.bands = side[1].data();
  }
  return geometry;
}

// The residuals, or nothing for a stream that is refused.
inline std::optional<std::vector<u8>> decoded(const EntropyCoder& row, Bytes stream, const PlaneGeometry& geometry) {
  std::vector<u8> residuals(static_cast<std::size_t>(geometry.grid.rows * geometry.grid.cols));
  ByteReader in(stream);
  try {
    row.decode(row, in, geometry, residuals);
  } catch (const Error& error) {
    check(error.kind() == ErrorKind::corrupt || error.kind() == ErrorKind::truncated,
          "a decoder's errors are corrupt or truncated");
    return std::nullopt;
  }
  for (const u8 residual : residuals) check(residual >> geometry.bits == 0, "residuals fit the plane");
  return residuals;
}

inline int decode_stream(sv coder, Bytes input) {
  static const EntropyCoder& row = *parse_coder(coder).row;
  static const std::vector<LaneKernels> kernels = all_lane_kernels();  // scalar first
  Choices choices(input);
  std::array<std::vector<u8>, 2> side;
  const PlaneGeometry geometry = take_geometry(choices, side);
  force_lane_kernels(kernels[0].name);
  const auto expected = decoded(row, choices.rest(), geometry);
  for (std::size_t k = 1; k < kernels.size(); ++k) {
    force_lane_kernels(kernels[k].name);
    check(decoded(row, choices.rest(), geometry) == expected, "every instruction set decodes as the scalar step does");
  }
  return 0;
}

}  // namespace wcodec::fuzz
