// gzip by zlib. A gzip member: 10 bytes of header, deflate with 32 KiB window and memory level 8 as the gzip command
// has them, CRC-32 and size (8 bytes).
#include <zlib.h>

#include <new>

#include "baselines/registry.hpp"

namespace wcodec {
namespace {

constexpr int kGzipWindow = 15 + 16;                  // 32 KiB, with gzip instead of zlib framing
constexpr std::size_t kPiece = std::size_t{1} << 30;  // zlib counts in 32 bits: longer input goes in pieces

// Creating a deflate state costs 270 KB of fresh pages, several times the work for a small tensor: each thread keeps
// one a level and resets it.
class Deflater {
 public:
  explicit Deflater(int level) noexcept
      : ready_(deflateInit2(&stream_, level, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) == Z_OK) {}
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;
  ~Deflater() {
    if (ready_) deflateEnd(&stream_);
  }
  z_stream* fresh() noexcept { return ready_ && deflateReset(&stream_) == Z_OK ? &stream_ : nullptr; }

 private:
  z_stream stream_{};
  bool ready_;
};

class Inflater {
 public:
  Inflater() noexcept : ready_(inflateInit2(&stream_, kGzipWindow) == Z_OK) {}
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() {
    if (ready_) inflateEnd(&stream_);
  }
  z_stream* fresh() noexcept { return ready_ && inflateReset(&stream_) == Z_OK ? &stream_ : nullptr; }

 private:
  z_stream stream_{};
  bool ready_;
};

z_stream* fresh_deflate(int level) noexcept {
  thread_local std::array<std::unique_ptr<Deflater>, 10> kept;
  auto& slot = kept[static_cast<std::size_t>(level)];
  if (!slot) slot.reset(new (std::nothrow) Deflater(level));
  return slot ? slot->fresh() : nullptr;
}

// Runs `step` (deflate or inflate) until the end of the stream. True when it came with `in` used up; `out` keeps its
// unused end.
template <class Step>
bool drive(z_stream& stream, Bytes in, MutBytes& out, Step step) noexcept {
  while (true) {
    const std::size_t give = std::min(in.size(), kPiece), take = std::min(out.size(), kPiece);
    stream.next_in = const_cast<u8*>(in.data());  // zlib only reads it
    stream.avail_in = static_cast<uInt>(give);
    stream.next_out = out.data();
    stream.avail_out = static_cast<uInt>(take);
    const int status = step(&stream, give == in.size() ? Z_FINISH : Z_NO_FLUSH);
    const std::size_t used = give - stream.avail_in, written = take - stream.avail_out;
    in = in.subspan(used);
    out = out.subspan(written);
    if (status == Z_STREAM_END) return in.empty();
    if ((status != Z_OK && status != Z_BUF_ERROR) || used + written == 0) return false;
  }
}

std::size_t bound(std::size_t size, const BaselineOptions& options) noexcept {
  z_stream* stream = fresh_deflate(options.level);
  return stream == nullptr ? 0 : deflateBound(stream, size);
}

std::optional<std::size_t> compress(Bytes in, MutBytes out, const BaselineOptions& options, Failure& why) noexcept {
  z_stream* stream = fresh_deflate(options.level);
  MutBytes rest = out;
  if (stream == nullptr || !drive(*stream, in, rest, deflate)) {
    why.set(stream == nullptr ? "zlib has no memory" : "the output is too small for zlib");
    return std::nullopt;
  }
  return out.size() - rest.size();
}

bool decompress(Bytes in, MutBytes out, const BaselineOptions&, Failure& why) noexcept {
  thread_local Inflater inflater;
  z_stream* stream = inflater.fresh();
  if (stream == nullptr || !drive(*stream, in, out, inflate) || !out.empty()) {
    why.set(stream != nullptr && stream->msg != nullptr ? stream->msg : "not one gzip member of the expected size");
    return false;
  }
  return true;
}

std::string version(const Baseline&) { return std::string("zlib ") + zlibVersion(); }

constexpr OptionInfo kOptions[] = {{"level", "6", "1…9", "effort"}};

}  // namespace

constinit const Baseline baselines::gzip = {.name = "gzip",
                                            .help = "deflate by zlib in gzip framing",
                                            .options = kOptions,
                                            .prepare = prepare_level<1, 9>,
                                            .bound = bound,
                                            .compress = compress,
                                            .decompress = decompress,
                                            .version = version};

}  // namespace wcodec
