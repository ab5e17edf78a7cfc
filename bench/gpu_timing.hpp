// Timing launches on the GPU, one by one and in a graph.
#pragma once

#include <functional>

#include "core/cuda_owners.hpp"

namespace wcodec {

// What is timed: puts the work of launch number i on a stream; may be called while the stream is captured.
using Launch = std::function<void(std::size_t i, cudaStream_t stream)>;

// Seconds of one launch between two events, the median of `repeats` after three warm-up launches.
double time_single(int repeats, const Launch& launch);

// Seconds a launch, of `launches` captured one after another in a graph, which is replayed `repeats` times; the median
// replay counts.
double time_graph(int repeats, std::size_t launches, const Launch& launch);

}  // namespace wcodec
