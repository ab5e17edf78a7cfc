// What the options of the C interface hold, once checked.
#pragma once

#include <string>
#include <vector>

#include <wcodec.h>

#include "codec/tensor_codec.hpp"

struct wcodec_options {
  // Stages by their specs; empty ones are the library's to choose.
  std::string tile, coder;
  std::vector<std::string> modes;
  unsigned threads = 0;
  wcodec::u64 max_weights = wcodec::kDefaultWeightLimit;
};

namespace wcodec::api {

inline constexpr const char* kDefaultTile = "16x16";
inline constexpr const char* kDefaultCoder = "rans:tables=row-col-scale,contexts=64";

// The defaults for NULL.
const wcodec_options& or_defaults(const wcodec_options* options) noexcept;

}  // namespace wcodec::api
