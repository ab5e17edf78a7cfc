// Static rANS with one table a tensor, a tile, or a context of row and column scale.
#pragma once

#include "entropy/entropy_coder.hpp"

namespace wcodec {
extern const EntropyCoder kRansCoder;
}
