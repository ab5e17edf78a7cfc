// Progressive records: all planes that are there, and every smaller number of them. Mutations get right checksums.
#include "codec/progressive.hpp"

#include <cstring>
#include <optional>

#include "core/error.hpp"
#include "core/hash.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace wcodec::fuzz {
namespace {

void put_crc(MutBytes input, std::size_t from, std::size_t to) {
  if (input.size() < to || input.size() - to < sizeof(u32)) return;
  const u32 crc = crc32(input.subspan(from, to - from));
  std::memcpy(input.data() + to, &crc, sizeof crc);
}

std::optional<ProgressiveTensor> decoded(Bytes input, int planes) {
  try {
    return decode_progressive(input, planes, kMaxWeights);
  } catch (const Error& error) {
    check(error.kind() != ErrorKind::internal, "no internal error");
    return std::nullopt;
  }
}

}  // namespace

// The header's checksum stands behind fields of varying length, each plane's behind it.
void repair(MutBytes input) {
  ByteReader in(input);
  try {
    in.take(10, "magic, version, format");
    in.varint("rows");
    in.varint("columns");
    in.take(in.read<u8>("transforms"), "transforms");
    in.read<u8>("order");
    std::vector<u64> planes(in.read<u8>("planes"));
    for (u64& bytes : planes) {
      bytes = in.varint("plane");
      in.varint("error");
    }
    in.take(in.varint("scales"), "scales");
    in.take(in.varint("choices"), "choices");
    put_crc(input, 0, in.position());
    in.take(sizeof(u32), "checksum");
    for (const u64 bytes : planes) {
      const std::size_t from = in.position();
      in.take(bytes, "plane");
      put_crc(input, from, in.position());
      in.take(sizeof(u32), "checksum");
    }
  } catch (const Error&) {
  }
}

}  // namespace wcodec::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wcodec;
  const auto whole = fuzz::decoded({data, size}, kAllPlanes);
  if (!whole) return 0;
  fuzz::check(whole->tensor.weights() <= fuzz::kMaxWeights, "the caller's limit holds");
  fuzz::check(whole->tensor.words.size() ==
                  whole->tensor.weights() * static_cast<wcodec::u64>(whole->tensor.format.memory_bytes),
              "there are as many words as weights");
  // What is known of all planes is known of fewer, if with a wider bound.
  for (int planes = 0; planes < whole->planes; ++planes) {
    const auto part = fuzz::decoded({data, size}, planes);
    fuzz::check(part.has_value() && part->planes == planes, "any number of the planes decodes");
  }
  return 0;
}
