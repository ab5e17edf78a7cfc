#include "codec/gpu_runtime.hpp"
#include "core/error.hpp"

namespace wcodec {

const GpuRuntime& gpu_runtime() noexcept {
  static constexpr GpuRuntime kAbsent = {.count =
                                             [](std::string& why) {
                                               why = "this build has no GPU decoders (nvcc was not there)";
                                               return 0;
                                             },
                                         .describe = {},
                                         .select = {},
                                         .free_memory = {},
                                         .allocate = {},
                                         .release = {},
                                         .allocate_host = {},
                                         .release_host = {},
                                         .create_queue = {},
                                         .destroy_queue = {},
                                         .wait = {},
                                         .to_gpu = {},
                                         .to_host = {},
                                         .within_gpu = {},
                                         .clear = {},
                                         .decode = {}};
  return kAbsent;
}

}  // namespace wcodec
