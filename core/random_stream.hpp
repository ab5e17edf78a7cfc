// Random numbers of a seed and of what they are for: independent streams by name.
#pragma once

#include "core/hash.hpp"
#include "core/philox.hpp"

namespace wcodec {

inline Philox random_stream(u64 seed, sv name) {
  return {seed, hash64(Bytes(reinterpret_cast<const u8*>(name.data()), name.size()))};
}

}  // namespace wcodec
