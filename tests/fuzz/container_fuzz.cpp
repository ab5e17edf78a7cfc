// Containers, every layer and all raw bytes read. Mutations get right checksums (repair), so that they reach what lies
// behind them.
#include "codec/container_reader.hpp"
#include "core/error.hpp"
#include "tests/fuzz/container_repair.hpp"
#include "tests/fuzz/memory_file.hpp"

void wcodec::fuzz::repair(MutBytes input) { repair_container(input); }

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wcodec;
  constexpr u64 kMaxBytes = u64{1} << 20;
  const fuzz::MemoryFile file({data, size});
  const auto refused = [](auto work) {
    try {
      work();
    } catch (const Error& error) {
      fuzz::check(error.kind() != ErrorKind::internal, "no internal error");
      return true;
    }
    return false;
  };
  std::unique_ptr<ContainerReader> reader;
  if (refused([&] {
        reader =
            ContainerReader::open(file.path(), {.max_tensor_bytes = kMaxBytes, .max_part_weights = fuzz::kMaxWeights});
      }))
    return 0;
  fuzz::check(reader->ledger().total() == size, "the ledger sums to the file");
  u64 budget = kMaxBytes;  // many layers may share few bytes
  for (std::size_t i = 0; i < reader->tensors().size(); ++i) {
    const u64 bytes = reader->tensors()[i].memory_bytes();
    if (bytes > budget) continue;
    budget -= bytes;
    refused([&] { reader->read(i); });
  }
  for (std::size_t f = 0; f < reader->source_files().size(); ++f) {
    refused([&] { reader->read_raw(f, kMaxBytes); });
    refused([&] { reader->metadata(f); });
  }
  return 0;
}
