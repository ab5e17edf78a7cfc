// Which neighbours on an axis of classes (levels of scale, exponents) should share a frequency table.
#pragma once

#include <span>
#include <vector>

#include "core/types.hpp"

namespace wcodec {

// histograms: `classes` rows of `alphabet` counts. Clusters are intervals of classes, at most `limit`, found by dynamic
// programming so that Σ order-0 bits plus about 4.5 bits a table entry is least; more than one only where that saves
// over `overhead` bits. Returns the cluster of each class, not falling, from 0. O(classes² · (alphabet + limit)).
std::vector<u8> cluster_histograms(std::span<const u32> histograms, std::size_t alphabet, int limit, double overhead);

}  // namespace wcodec
