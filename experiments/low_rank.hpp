// approx=lowrank: the best approximation of low rank.
#pragma once

#include "experiments/approximations.hpp"

namespace wcodec {

extern const Approximation kLowRank;

}  // namespace wcodec
