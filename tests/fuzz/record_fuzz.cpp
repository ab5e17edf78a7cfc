// Tensor records. Mutations get a right checksum (repair), so that they reach the decoder behind it.
#include <cstring>
#include <optional>

#include "codec/record_info.hpp"
#include "codec/tensor_codec.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"
#include "tests/fuzz/fuzz.hpp"

void wcodec::fuzz::repair(MutBytes input) {
  if (input.size() < sizeof(u32)) return;
  const u32 crc = crc32(input.first(input.size() - sizeof crc));
  std::memcpy(input.data() + input.size() - sizeof crc, &crc, sizeof crc);
}

namespace wcodec::fuzz {
namespace {

// What `decode` gives, or nothing for a record that is refused.
template <class Decode>
auto unless_refused(Decode decode) -> std::optional<decltype(decode())> {
  try {
    return decode();
  } catch (const Error& error) {
    check(error.kind() != ErrorKind::internal, "no internal error");
    return std::nullopt;
  }
}

}  // namespace
}  // namespace wcodec::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wcodec;
  using fuzz::check;
  const Bytes record(data, size);
  const auto tensor = fuzz::unless_refused([&] { return decode_tensor(record, fuzz::kMaxWeights); });
  if (tensor) {
    check(tensor->weights() <= fuzz::kMaxWeights, "the caller's limit holds");
    check(tensor->words.size() == tensor->weights() * static_cast<u64>(tensor->format.memory_bytes),
          "there are as many words as weights");
  }
  const auto described = fuzz::unless_refused([&] { return describe_record(record, fuzz::kMaxWeights); });
  check(described.has_value() || !tensor.has_value(), "what decodes can be described");
  if (!described) return 0;
  std::vector<u8> words(
      static_cast<std::size_t>(described->rows * described->cols * info(described->dtype).memory_bytes));
  const auto in_place = fuzz::unless_refused([&] { return decode_tensor_into(record, words); });
  check(in_place.has_value() == tensor.has_value(), "decoding in place refuses what decoding refuses");
  check(!tensor || words == tensor->words, "decoding in place gives the same words");
  return 0;
}
