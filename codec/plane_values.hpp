// Values of a progressive record between its planes and its words; shared by its writer and its reader.
#pragma once

#include <vector>

#include "codec/plane_transform.hpp"
#include "transforms/bitplanes.hpp"

namespace wcodec {

// What is known of all values, in coding order, after some planes.
struct PlaneValues {
  BitOrder order;
  int planes;                 // all there are
  int known = 0;              // so many of them are in `prefixes`
  std::vector<u16> prefixes;  // the known bits of each value
  std::vector<u8> negative;   // sign_magnitude: 1 where the sign is known to be −

  PlaneValues(BitOrder bit_order, int plane_total, std::size_t count)
      : order(bit_order), planes(plane_total), prefixes(count), negative(count) {}
  KnownInterval interval(std::size_t i) const noexcept {
    return known_interval(order, planes, prefixes[i], negative[i] != 0, planes - known);
  }
};

// How words are centred on 0 and cut into blocks.
struct BlockLayout {
  TileGrid grid;
  int bits;  // words are −2^(bits−1) … 2^(bits−1) − 1
  const TransformSet& transforms;
  Bytes transform_of_block;  // empty if there is one transform
};

// The best guess at each word, in coding order, and a proven bound on its error.
struct Reconstruction {
  std::vector<i32> words;
  u32 bound = 0;
};
Reconstruction reconstruct(const PlaneValues& values, const BlockLayout& layout);

}  // namespace wcodec
