// Progressive files, or beginnings of them: every layer from all planes that are there and from none. Mutations get
// right checksums, of the header, the index, heads and planes alike.
#include "codec/progressive_file.hpp"

#include <algorithm>
#include <cstring>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/memory_file.hpp"

namespace wcodec::fuzz {
namespace {

constexpr std::size_t kHeaderBytes = 24;

// Every piece of a file ends with the checksum of the rest of it.
void put_crc(MutBytes input, u64 from, u64 size) {
  if (size < sizeof(u32) || from > input.size() || size > input.size() - from) return;
  const u32 crc = crc32(input.subspan(from, size - sizeof(u32)));
  std::memcpy(input.data() + from + size - sizeof(u32), &crc, sizeof crc);
}

struct Pieces {
  std::vector<u64> heads;
  std::vector<std::vector<u64>> planes;
};

Pieces read_index(ByteReader in) {
  Pieces pieces;
  for (u64 layers = in.varint("layers"); layers > 0; --layers) {
    in.take(in.varint("length of a name"), "name");
    in.read<u8>("type");
    for (u64 rank = in.varint("rank"); rank > 0; --rank) in.varint("side");
    const bool exact = in.read<u8>("kind") == 1;
    pieces.heads.push_back(in.varint("head"));
    pieces.planes.emplace_back(exact ? 0 : in.read<u8>("planes"));
    for (u64& plane : pieces.planes.back()) plane = in.varint("plane");
  }
  return pieces;
}

}  // namespace

void repair(MutBytes input) {
  if (input.size() < kHeaderBytes) return;
  put_crc(input, 0, kHeaderBytes);
  u64 index = 0;
  std::memcpy(&index, input.data() + 12, sizeof index);
  if (index > input.size()) return;
  put_crc(input, kHeaderBytes, index);
  try {
    ByteReader in(Bytes(input).subspan(kHeaderBytes));
    const Pieces pieces = read_index(ByteReader(in.take(index, "index")));
    u64 at = kHeaderBytes + index;
    const auto piece = [&](u64 size) {
      put_crc(input, at, size);
      at += std::min<u64>(size, input.size());
    };
    for (const u64 head : pieces.heads) piece(head);
    std::size_t most = 0;
    for (const auto& planes : pieces.planes) most = std::max(most, planes.size());
    for (std::size_t p = 0; p < most; ++p) {
      for (const auto& planes : pieces.planes) {
        if (p < planes.size()) piece(planes[p]);
      }
    }
  } catch (const Error&) {
  }
}

namespace {

template <class Work>
bool refused(Work&& work) {
  try {
    work();
  } catch (const Error& error) {
    check(error.kind() != ErrorKind::internal, "no internal error");
    return true;
  }
  return false;
}

}  // namespace
}  // namespace wcodec::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wcodec;
  const fuzz::MemoryFile file({data, size});
  std::optional<ProgressiveFile> opened;
  if (fuzz::refused([&] { opened.emplace(ProgressiveFile::open(file.path())); })) return 0;
  fuzz::check(opened->bytes_for(0) <= size && size <= opened->whole_bytes(), "a file that opens has all of its heads");
  fuzz::check(opened->bytes_for(opened->planes()) == opened->whole_bytes(), "all planes are the whole file");
  u64 budget = fuzz::kMaxWeights;  // many layers may share few bytes
  for (std::size_t i = 0; i < opened->layers().size(); ++i) {
    const u64 weights = opened->layers()[i].weights();
    if (weights > budget) continue;
    budget -= weights;
    for (const int planes : {kAllPlanes, 0}) {
      fuzz::refused([&] {
        const ProgressiveLayerData layer = opened->read(i, planes, fuzz::kMaxWeights);
        fuzz::check(layer.words.size() == weights * static_cast<u64>(info(opened->layers()[i].dtype).memory_bytes),
                    "a layer has its shape's words");
        fuzz::check(layer.planes < layer.all_planes || layer.bound == 0, "all planes are exact");
      });
    }
  }
  return 0;
}
