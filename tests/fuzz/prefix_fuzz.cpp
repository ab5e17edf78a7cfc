#include "tests/fuzz/coder_target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return wcodec::fuzz::decode_stream("prefix", {data, size});
}
