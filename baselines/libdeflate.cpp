// The gzip format by libdeflate, the fastest deflate on a CPU; framing as in gzip.cpp (18 bytes). Levels 10 to 12 parse
// near-optimally.
#include <libdeflate.h>

#include "baselines/registry.hpp"

namespace wcodec {
namespace {

struct Free {
  void operator()(libdeflate_compressor* c) const noexcept { libdeflate_free_compressor(c); }
  void operator()(libdeflate_decompressor* d) const noexcept { libdeflate_free_decompressor(d); }
};

// Each thread keeps its compressors: at the upper levels one is megabytes to allocate and clear.
libdeflate_compressor* compressor(int level) noexcept {
  thread_local std::array<std::unique_ptr<libdeflate_compressor, Free>, 13> kept;
  auto& slot = kept[static_cast<std::size_t>(level)];
  if (!slot) slot.reset(libdeflate_alloc_compressor(level));
  return slot.get();
}

std::size_t bound(std::size_t size, const BaselineOptions& options) noexcept {
  return libdeflate_gzip_compress_bound(compressor(options.level), size);
}

std::optional<std::size_t> compress(Bytes in, MutBytes out, const BaselineOptions& options, Failure& why) noexcept {
  libdeflate_compressor* with = compressor(options.level);
  const std::size_t size =
      with == nullptr ? 0 : libdeflate_gzip_compress(with, in.data(), in.size(), out.data(), out.size());
  if (size == 0) {
    why.set(with == nullptr ? "libdeflate has no memory" : "the output is too small for libdeflate");
    return std::nullopt;
  }
  return size;
}

bool decompress(Bytes in, MutBytes out, const BaselineOptions&, Failure& why) noexcept {
  thread_local const std::unique_ptr<libdeflate_decompressor, Free> with(libdeflate_alloc_decompressor());
  std::size_t used = 0;
  // Without a pointer for the size written, libdeflate accepts nothing but an output filled to the end.
  if (!with ||
      libdeflate_gzip_decompress_ex(with.get(), in.data(), in.size(), out.data(), out.size(), &used, nullptr) !=
          LIBDEFLATE_SUCCESS ||
      used != in.size()) {
    why.set("not one gzip member of the expected size");
    return false;
  }
  return true;
}

std::string version(const Baseline&) { return "libdeflate " LIBDEFLATE_VERSION_STRING; }

constexpr OptionInfo kOptions[] = {{"level", "6", "1…12", "effort"}};

}  // namespace

constinit const Baseline baselines::libdeflate = {.name = "libdeflate",
                                                  .help = "deflate by libdeflate in gzip framing",
                                                  .options = kOptions,
                                                  .prepare = prepare_level<1, 12>,
                                                  .bound = bound,
                                                  .compress = compress,
                                                  .decompress = decompress,
                                                  .version = version};

}  // namespace wcodec
