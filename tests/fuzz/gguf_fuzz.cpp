#include "core/sources/gguf.hpp"
#include "tests/fuzz/checkpoint_target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return wcodec::fuzz::read_checkpoint(
      {data, size}, [](const std::string& path) { return wcodec::open_gguf(path, wcodec::OpenOptions{}); });
}
