// Values of a progressive record between its planes and its words; shared by its writer and its reader.
#pragma once

#include <vector>

#include "codec/ordered_words.hpp"
#include "codec/plane_transform.hpp"
#include "transforms/bitplanes.hpp"

namespace wcodec {

// What is known of all values, in coding order, after some planes.
struct PlaneValues {
  BitOrder order;
  int planes;                 // all there are
  int known = 0;              // so many of them are in `prefixes`
  std::vector<u32> prefixes;  // the known bits of each value
  std::vector<u16> contexts;  // the first kContextBits of them at most, which is more than contexts go by
  std::vector<u8> negative;   // sign_magnitude: 1 where the sign is known to be −

  static constexpr int kContextBits = 15;

  PlaneValues(BitOrder bit_order, int plane_total, std::size_t count)
      : order(bit_order), planes(plane_total), prefixes(count), contexts(count), negative(count) {}
  // The next plane.
  void append(Bytes bits) noexcept {
    for (std::size_t i = 0; i < bits.size(); ++i) prefixes[i] = prefixes[i] << 1 | bits[i];
    if (known < kContextBits) {
      for (std::size_t i = 0; i < bits.size(); ++i) contexts[i] = static_cast<u16>(contexts[i] << 1 | bits[i]);
    }
    ++known;
  }
  KnownInterval interval(std::size_t i) const noexcept {
    return known_interval(order, planes, prefixes[i], negative[i] != 0, planes - known);
  }
};

// How words, as numbers centred on 0 (ordered_words.hpp), are cut into blocks.
struct BlockLayout {
  TileGrid grid;
  WordFormat format;
  const TransformSet& transforms;
  Bytes transform_of_block;  // empty if there is one transform
};

// The best guess at each word, in coding order, and proven bounds on its error.
struct Reconstruction {
  std::vector<i32> words;
  u32 bound = 0;           // in steps of a word
  double value_bound = 0;  // in value, of elements that are finite numbers; without transforms only
};
// Transforms are of integers of at most 8 bits.
Reconstruction reconstruct(const PlaneValues& values, const BlockLayout& layout);

}  // namespace wcodec
