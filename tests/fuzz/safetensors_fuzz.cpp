#include "core/sources/safetensors.hpp"
#include "tests/fuzz/checkpoint_target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return wcodec::fuzz::read_checkpoint({data, size}, [](const std::string& path) {
    auto checkpoint =
        std::make_unique<wcodec::SafetensorsCheckpoint>(std::vector<std::string>{path}, wcodec::OpenOptions{});
    checkpoint->preamble(0);
    return checkpoint;
  });
}
