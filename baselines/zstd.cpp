// Zstandard. One frame as ZSTD_compress writes it: magic and header with the content size (6 to 13 bytes), no checksum.
#include <zstd.h>

#include "baselines/registry.hpp"

namespace wcodec {
namespace {

struct Free {
  void operator()(ZSTD_CCtx* c) const noexcept { ZSTD_freeCCtx(c); }
  void operator()(ZSTD_DCtx* d) const noexcept { ZSTD_freeDCtx(d); }
};

std::size_t bound(std::size_t size, const BaselineOptions&) noexcept {
  const std::size_t bytes = ZSTD_compressBound(size);
  return ZSTD_isError(bytes) != 0 ? 0 : bytes;
}

std::optional<std::size_t> compress(Bytes in, MutBytes out, const BaselineOptions& options, Failure& why) noexcept {
  thread_local const std::unique_ptr<ZSTD_CCtx, Free> with(ZSTD_createCCtx());
  if (!with) {
    why.set("zstd has no memory");
    return std::nullopt;
  }
  const std::size_t size = ZSTD_compressCCtx(with.get(), out.data(), out.size(), in.data(), in.size(), options.level);
  if (ZSTD_isError(size) != 0) {
    why.set(ZSTD_getErrorName(size));
    return std::nullopt;
  }
  return size;
}

bool decompress(Bytes in, MutBytes out, const BaselineOptions&, Failure& why) noexcept {
  thread_local const std::unique_ptr<ZSTD_DCtx, Free> with(ZSTD_createDCtx());
  // ZSTD_decompress takes a row of frames, some of them empty or to be skipped: one frame is what was written.
  const std::size_t frame = ZSTD_findFrameCompressedSize(in.data(), in.size());
  const std::size_t size = ZSTD_isError(frame) != 0 ? frame
                           : with == nullptr
                               ? 0
                               : ZSTD_decompressDCtx(with.get(), out.data(), out.size(), in.data(), in.size());
  if (with == nullptr || ZSTD_isError(size) != 0 || frame != in.size() || size != out.size()) {
    why.set(ZSTD_isError(size) != 0 ? ZSTD_getErrorName(size) : "not one zstd frame of the expected size");
    return false;
  }
  return true;
}

std::string version(const Baseline&) { return std::string("zstd ") + ZSTD_versionString(); }

constexpr OptionInfo kOptions[] = {{"level", "3", "1…22", "effort"}};

}  // namespace

constinit const Baseline baselines::zstd = {.name = "zstd",
                                            .help = "Zstandard",
                                            .options = kOptions,
                                            .prepare = prepare_level<1, 22>,
                                            .bound = bound,
                                            .compress = compress,
                                            .decompress = decompress,
                                            .version = version};

}  // namespace wcodec
