// Runs a fuzz target without a fuzzer, with any compiler: its seeds, every file of its
// corpus, and simple mutations of each.
//   fuzz_<target> MUTATIONS FOLDER…
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "core/philox.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

using wcodec::Philox;
using wcodec::u8;

std::vector<u8> mutated(std::vector<u8> input, const std::vector<u8>& other, Philox& random) {
  for (unsigned change = 1 + random.below(4); change > 0 && !input.empty(); --change) {
    const auto size = static_cast<wcodec::u32>(input.size());
    const wcodec::u32 at = random.below(size);
    switch (random.below(6)) {
      case 0:
        input[at] ^= static_cast<u8>(1u << random.below(8));
        break;
      case 1:
        input[at] = static_cast<u8>(random.below(256));
        break;
      case 2:
        input[at] = random.below(2) ? 0xff : 0x00;
        break;
      case 3:
        input.resize(at);
        break;
      case 4:
        input.insert(input.begin() + at, 1 + random.below(4), static_cast<u8>(random.below(256)));
        break;
      default:  // a piece of another input
        for (wcodec::u32 i = 0; i < 16 && at + i < size && at + i < other.size(); ++i) input[at + i] = other[at + i];
    }
  }
  return input;
}

void run(const std::vector<u8>& input) {
  // In an allocation of exactly its size, so that a sanitizer sees the first byte too many.
  const std::vector<u8> exact(input);
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: %s MUTATIONS FOLDER...\n", argv[0]);
    return 2;
  }
  std::vector<std::filesystem::path> files;
  for (int i = 2; i < argc; ++i) {
    if (!std::filesystem::exists(argv[i])) continue;  // a target whose seeds have found everything so far
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<std::vector<u8>> inputs;
  for (const auto& path : files) {
    std::ifstream file(path, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    run(inputs.back());
  }
  const auto mutations = std::stoul(argv[1]);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    Philox random(1, i);
    for (unsigned long m = 0; m < mutations; ++m) {
      std::vector<u8> input = mutated(inputs[i], inputs[random.below(static_cast<wcodec::u32>(inputs.size()))], random);
#if defined(WCODEC_FUZZ_REPAIRS)
      if (random.below(16) != 0) wcodec::fuzz::repair(input);
#endif
      run(input);
    }
  }
  std::printf("%zu inputs, %lu mutations of each\n", inputs.size(), mutations);
  return inputs.empty() ? 1 : 0;
}
