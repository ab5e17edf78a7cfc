// LZMA2 in the .xz container, with CRC-64 as the xz command has it: 12 bytes of header, 12 of footer, and a block
// header, an index and a check of about 40. A state is made for every call, since at level 9
// one is 674 MB: about 14 ms at level 6, which the time of a tensor under 100 KB shows.
#include <lzma.h>

#include "baselines/registry.hpp"

namespace wcodec {
namespace {

// Level 9 needs 65 MB to decode: a header that asks for more is damaged.
constexpr u64 kDecoderMemory = u64{128} << 20;

sv explain(lzma_ret status) noexcept {
  switch (status) {
    case LZMA_MEM_ERROR:
      return "xz has no memory";
    case LZMA_BUF_ERROR:
      return "xz data is cut short, or the output is too small";
    case LZMA_DATA_ERROR:
      return "xz data is corrupt";
    case LZMA_FORMAT_ERROR:
      return "not xz data";
    default:
      return "xz failed";
  }
}

std::size_t bound(std::size_t size, const BaselineOptions&) noexcept { return lzma_stream_buffer_bound(size); }

std::optional<std::size_t> compress(Bytes in, MutBytes out, const BaselineOptions& options, Failure& why) noexcept {
  std::size_t size = 0;
  const lzma_ret status = lzma_easy_buffer_encode(static_cast<u32>(options.level), LZMA_CHECK_CRC64, nullptr, in.data(),
                                                  in.size(), out.data(), &size, out.size());
  if (status != LZMA_OK) {
    why.set(explain(status));
    return std::nullopt;
  }
  return size;
}

bool decompress(Bytes in, MutBytes out, const BaselineOptions&, Failure& why) noexcept {
  u64 memory = kDecoderMemory;
  std::size_t used = 0, size = 0;
  const lzma_ret status =
      lzma_stream_buffer_decode(&memory, 0, nullptr, in.data(), &used, in.size(), out.data(), &size, out.size());
  if (status != LZMA_OK || used != in.size() || size != out.size()) {
    why.set(status == LZMA_OK ? "not one xz stream of the expected size" : explain(status));
    return false;
  }
  return true;
}

std::string version(const Baseline&) { return std::string("liblzma ") + lzma_version_string(); }

constexpr OptionInfo kOptions[] = {{"level", "6", "0…9", "preset of the xz command"}};

}  // namespace

constinit const Baseline baselines::xz = {.name = "xz",
                                          .help = "LZMA2 in the .xz container",
                                          .options = kOptions,
                                          .prepare = prepare_level<0, 9>,
                                          .bound = bound,
                                          .compress = compress,
                                          .decompress = decompress,
                                          .version = version};

}  // namespace wcodec
