// Tensor records. Mutations get a right checksum (repair), so that they reach the decoder behind it.
#include <cstring>

#include "codec/tensor_codec.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"
#include "tests/fuzz/fuzz.hpp"

void wcodec::fuzz::repair(MutBytes input) {
  if (input.size() < sizeof(u32)) return;
  const u32 crc = crc32(input.first(input.size() - sizeof crc));
  std::memcpy(input.data() + input.size() - sizeof crc, &crc, sizeof crc);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wcodec;
  try {
    const QuantizedTensor tensor = decode_tensor({data, size}, fuzz::kMaxWeights);
    fuzz::check(tensor.weights() <= fuzz::kMaxWeights, "the caller's limit holds");
    fuzz::check(tensor.words.size() == tensor.weights() * static_cast<u64>(tensor.format.memory_bytes),
                "there are as many words as weights");
  } catch (const Error& error) {
    fuzz::check(error.kind() != ErrorKind::internal, "no internal error");
  }
  return 0;
}
