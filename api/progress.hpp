// A caller's progress function as the codec calls it.
#pragma once

#include <wcodec.h>

#include "codec/checkpoint_codec.hpp"
#include "core/error.hpp"

namespace wcodec::api {

inline ProgressCallback to_callback(wcodec_progress progress, void* user) {
  if (progress == nullptr) return {};
  return [progress, user](const CodecProgress& now) {
    return progress(user, now.bytes_done, now.bytes_total, printable(now.layer).c_str()) == 0;
  };
}

}  // namespace wcodec::api
