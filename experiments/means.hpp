// approx=mean: the mean of each row, each column, or both, in whole symbols.
#pragma once

#include "experiments/approximations.hpp"

namespace wcodec {

extern const Approximation kMeans;

}  // namespace wcodec
