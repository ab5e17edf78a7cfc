// LZ4: one raw block, with no frame around it, so nothing beside the data is written. Level 1 is the fast parser, 3 to
// 12 are the slow ones (HC); decoding is the same.
#include <lz4.h>
#include <lz4hc.h>

#include <new>

#include "baselines/registry.hpp"
#include "core/error.hpp"

namespace wcodec {
namespace {

BaselineOptions prepare(const Baseline&, const OptionReader& reader) {
  const i64 level = reader.integer("level", 1, LZ4HC_CLEVEL_MAX);
  if (level == 2) throw Error(ErrorKind::usage, "'lz4': level=2 does not exist; use 1 (fast) or 3 to 12 (slow)");
  return {static_cast<int>(level), nullptr, {}};
}

std::size_t bound(std::size_t size, const BaselineOptions&) noexcept {
  return size > LZ4_MAX_INPUT_SIZE ? 0 : static_cast<std::size_t>(LZ4_compressBound(static_cast<int>(size)));
}

// 256 KB that LZ4_compress_HC would otherwise allocate in every call. It keeps nothing between calls.
void* slow_state() noexcept {
  struct alignas(8) Word {
    u64 bytes;
  };
  thread_local const std::unique_ptr<Word[]> kept(
      new (std::nothrow) Word[static_cast<std::size_t>(LZ4_sizeofStateHC()) / sizeof(Word) + 1]);
  return kept.get();
}

int clamp_to_int(std::size_t size) noexcept { return static_cast<int>(std::min<std::size_t>(size, 0x7fffffff)); }

std::optional<std::size_t> compress(Bytes in, MutBytes out, const BaselineOptions& options, Failure& why) noexcept {
  if (in.size() > LZ4_MAX_INPUT_SIZE) {
    why.set("an LZ4 block holds at most 2113929216 bytes");
    return std::nullopt;
  }
  const char* from = reinterpret_cast<const char*>(in.data());
  char* to = reinterpret_cast<char*>(out.data());
  int size = 0;
  if (options.level == 1) {
    size = LZ4_compress_default(from, to, clamp_to_int(in.size()), clamp_to_int(out.size()));
  } else if (void* state = slow_state(); state != nullptr) {
    size =
        LZ4_compress_HC_extStateHC(state, from, to, clamp_to_int(in.size()), clamp_to_int(out.size()), options.level);
  }
  if (size <= 0) {
    why.set("the output is too small for LZ4");
    return std::nullopt;
  }
  return static_cast<std::size_t>(size);
}

bool decompress(Bytes in, MutBytes out, const BaselineOptions&, Failure& why) noexcept {
  const bool sizes_fit = in.size() <= 0x7fffffff && out.size() <= LZ4_MAX_INPUT_SIZE;
  char* to = reinterpret_cast<char*>(out.data());
  if (!sizes_fit || in.empty() ||
      LZ4_decompress_safe(reinterpret_cast<const char*>(in.data()), to, static_cast<int>(in.size()),
                          static_cast<int>(out.size())) != static_cast<int>(out.size())) {
    why.set("not an LZ4 block of the expected size");
    return false;
  }
  return true;
}

std::string version(const Baseline&) { return std::string("lz4 ") + LZ4_versionString(); }

constexpr OptionInfo kOptions[] = {{"level", "1", "1|3…12", "1: fast; from 3 on: slow parsers"}};

}  // namespace

constinit const Baseline baselines::lz4 = {.name = "lz4",
                                           .help = "LZ4, one raw block",
                                           .options = kOptions,
                                           .prepare = prepare,
                                           .bound = bound,
                                           .compress = compress,
                                           .decompress = decompress,
                                           .version = version};

}  // namespace wcodec
