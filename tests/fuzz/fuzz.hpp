// What the fuzz targets share. A target is one tests/fuzz/<name>_fuzz.cpp with LLVMFuzzerTestOneInput: hostile bytes
// give a result or wcodec::Error; any other exception, a broken promise, a sanitizer's report, 25 seconds, or more
// memory than tools/fuzz.sh allows is a failure.
#pragma once

#include <cstddef>
#include <cstdio>
#include <cstdlib>

#include "core/types.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace wcodec::fuzz {

// Decoders here are told to refuse more than this: a fuzzer that fills gigabytes finds nothing.
inline constexpr u64 kMaxWeights = u64{1} << 16;

// A promise that holds for every input.
inline void check(bool holds, const char* promise) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %s\n", promise);
  std::abort();
}

// Mends the checksums of a mutated input, so that mutations reach what lies behind them. Targets whose format has
// checksums define it (REPAIRS in CMakeLists.txt).
void repair(MutBytes input);

// Takes the choices of a structured target from the front of its input; zeros once that is used up.
class Choices {
 public:
  explicit Choices(Bytes bytes) noexcept : bytes_(bytes) {}
  u8 byte() noexcept {
    if (bytes_.empty()) return 0;
    const u8 value = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return value;
  }
  u32 below(u32 bound) noexcept { return (byte() | u32{byte()} << 8) % bound; }
  Bytes rest() const noexcept { return bytes_; }

 private:
  Bytes bytes_;
};

}  // namespace wcodec::fuzz
