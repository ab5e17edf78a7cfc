// Brotli with a 16 MiB window (lgwin 24) in generic mode: a raw stream of about 3 bytes of framing, no checksum.
#include <brotli/decode.h>
#include <brotli/encode.h>
#include <fmt/format.h>

#include "baselines/registry.hpp"

namespace wcodec {
namespace {

struct Free {
  void operator()(BrotliDecoderState* d) const noexcept { BrotliDecoderDestroyInstance(d); }
};

std::size_t bound(std::size_t size, const BaselineOptions&) noexcept { return BrotliEncoderMaxCompressedSize(size); }

std::optional<std::size_t> compress(Bytes in, MutBytes out, const BaselineOptions& options, Failure& why) noexcept {
  std::size_t size = out.size();
  if (BrotliEncoderCompress(options.level, BROTLI_MAX_WINDOW_BITS, BROTLI_MODE_GENERIC, in.size(), in.data(), &size,
                            out.data()) == BROTLI_FALSE) {
    why.set("the output is too small for brotli, or memory ran out");
    return std::nullopt;
  }
  return size;
}

bool decompress(Bytes in, MutBytes out, const BaselineOptions&, Failure& why) noexcept {
  // Not BrotliDecoderDecompress: it does not tell whether input was left over.
  const std::unique_ptr<BrotliDecoderState, Free> with(BrotliDecoderCreateInstance(nullptr, nullptr, nullptr));
  if (!with) {
    why.set("brotli has no memory");
    return false;
  }
  std::size_t left = in.size(), room = out.size();
  const u8* next_in = in.data();
  u8* next_out = out.data();
  const BrotliDecoderResult result =
      BrotliDecoderDecompressStream(with.get(), &left, &next_in, &room, &next_out, nullptr);
  if (result != BROTLI_DECODER_RESULT_SUCCESS || left != 0 || room != 0) {
    why.set(result == BROTLI_DECODER_RESULT_ERROR ? BrotliDecoderErrorString(BrotliDecoderGetErrorCode(with.get()))
                                                  : "not one brotli stream of the expected size");
    return false;
  }
  return true;
}

std::string version(const Baseline&) {
  const u32 v = BrotliEncoderVersion();
  return fmt::format("brotli {}.{}.{}", v >> 24, v >> 12 & 0xfff, v & 0xfff);
}

// 11 is the library's default and takes a second a megabyte, but it is what "brotli" without a level means everywhere.
constexpr OptionInfo kOptions[] = {{"level", "11", "0…11", "quality"}};

}  // namespace

constinit const Baseline baselines::brotli = {.name = "brotli",
                                              .help = "Brotli, 16 MiB window",
                                              .options = kOptions,
                                              .prepare = prepare_level<0, 11>,
                                              .bound = bound,
                                              .compress = compress,
                                              .decompress = decompress,
                                              .version = version};

}  // namespace wcodec
