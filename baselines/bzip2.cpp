// bzip2: blocks of level × 100 kB, each under a 32-bit CRC and with a 6-byte mark; a 4-byte header and a 10-byte end.
// The library cannot reuse a state, and at about 10 MB/s it does not need to.
#include <bzlib.h>

#include "baselines/registry.hpp"

namespace wcodec {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 30;  // the library counts in 32 bits

std::size_t bound(std::size_t size, const BaselineOptions&) noexcept { return size + size / 100 + 600; }

// Gives the stream its next pieces, runs `step`, and takes what was used off both spans.
template <class Step>
int advance(bz_stream& stream, Bytes& in, MutBytes& out, Step step) noexcept {
  const std::size_t give = std::min(in.size(), kPiece), take = std::min(out.size(), kPiece);
  // bzlib only reads the input, but its interface has no const.
  stream.next_in = const_cast<char*>(reinterpret_cast<const char*>(in.data()));
  stream.avail_in = static_cast<unsigned>(give);
  stream.next_out = reinterpret_cast<char*>(out.data());
  stream.avail_out = static_cast<unsigned>(take);
  const int status = step(&stream, give == in.size());
  in = in.subspan(give - stream.avail_in);
  out = out.subspan(take - stream.avail_out);
  return status;
}

std::optional<std::size_t> compress(Bytes in, MutBytes out, const BaselineOptions& options, Failure& why) noexcept {
  bz_stream stream{};
  if (BZ2_bzCompressInit(&stream, options.level, 0, 0) != BZ_OK) {
    why.set("bzip2 has no memory");
    return std::nullopt;
  }
  MutBytes rest = out;
  int status = BZ_RUN_OK;
  while (status == BZ_RUN_OK || (status == BZ_FINISH_OK && !rest.empty())) {
    status =
        advance(stream, in, rest, [](bz_stream* s, bool last) { return BZ2_bzCompress(s, last ? BZ_FINISH : BZ_RUN); });
  }
  BZ2_bzCompressEnd(&stream);
  if (status != BZ_STREAM_END) {
    why.set("the output is too small for bzip2");
    return std::nullopt;
  }
  return out.size() - rest.size();
}

bool decompress(Bytes in, MutBytes out, const BaselineOptions&, Failure& why) noexcept {
  bz_stream stream{};
  if (BZ2_bzDecompressInit(&stream, 0, 0) != BZ_OK) {
    why.set("bzip2 has no memory");
    return false;
  }
  int status = BZ_OK;
  std::size_t before = 0;
  do {
    before = in.size() + out.size();
    status = advance(stream, in, out, [](bz_stream* s, bool) { return BZ2_bzDecompress(s); });
  } while (status == BZ_OK && in.size() + out.size() < before);
  BZ2_bzDecompressEnd(&stream);
  if (status != BZ_STREAM_END || !in.empty() || !out.empty()) {
    why.set(status == BZ_DATA_ERROR ? "bzip2 data fails its checksum" : "not one bzip2 stream of the expected size");
    return false;
  }
  return true;
}

std::string version(const Baseline&) { return std::string("bzip2 ") + BZ2_bzlibVersion(); }

constexpr OptionInfo kOptions[] = {{"level", "9", "1…9", "block size in 100 kB"}};

}  // namespace

constinit const Baseline baselines::bzip2 = {.name = "bzip2",
                                             .help = "Burrows-Wheeler transform and Huffman codes",
                                             .options = kOptions,
                                             .prepare = prepare_level<1, 9>,
                                             .bound = bound,
                                             .compress = compress,
                                             .decompress = decompress,
                                             .version = version};

}  // namespace wcodec
