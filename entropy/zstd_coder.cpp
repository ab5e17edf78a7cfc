#include "entropy/zstd_coder.hpp"

#include <zstd.h>

#include <memory>
#include <string>

#include "core/error.hpp"
#include "entropy/raw_coder.hpp"

namespace wcodec {
namespace {

enum Kind : u8 { kStoredRaw = 0, kFrame = 1 };

constexpr OptionInfo kOptions[] = {{"level", "3", "1...19", "zstd's compression level"}};

CoderOptions prepare(const Spec& spec) {
  CoderOptions out;
  out.level = static_cast<int>(OptionReader(spec, kOptions).integer("level", 1, 19));
  return out;
}

void encode(const EntropyCoder&, const CoderInput& input, const CoderOptions& options, LedgerWriter& out) {
  if (input.residuals.empty()) return;
  // The size and the checksum of the content are known and checked by the record.
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(), &ZSTD_freeCCtx);
  if (context == nullptr) throw std::bad_alloc();
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, options.level);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_contentSizeFlag, 0);
  std::vector<u8> frame(ZSTD_compressBound(input.residuals.size()));
  const std::size_t size =
      ZSTD_compress2(context.get(), frame.data(), frame.size(), input.residuals.data(), input.residuals.size());
  if (ZSTD_isError(size)) throw Error(ErrorKind::internal, std::string("zstd: ") + ZSTD_getErrorName(size));
  const LedgerWriter::Mark before = out.mark();
  out.write(LedgerEntry::header, u8{kFrame});
  out.varint(LedgerEntry::index, size);
  out.append(LedgerEntry::payload, Bytes(frame).first(size));
  store_if_longer(input, before, out);
}

void decode(const EntropyCoder&, ByteReader& in, const PlaneGeometry& geometry, MutBytes residuals) {
  if (residuals.empty()) return;
  const u8 kind = in.read<u8>("zstd header");
  if (kind == kStoredRaw) return read_raw(in, geometry, residuals);
  if (kind != kFrame) throw Error(ErrorKind::corrupt, "zstd header: unknown kind");
  const Bytes frame = in.take(in.varint("zstd frame"), "zstd frame");
  // One frame and nothing behind it, which ZSTD_decompress would take as another.
  const std::size_t own = ZSTD_findFrameCompressedSize(frame.data(), frame.size());
  if (ZSTD_isError(own) || own != frame.size()) throw Error(ErrorKind::corrupt, "zstd frame: not one whole frame");
  const std::size_t size = ZSTD_decompress(residuals.data(), residuals.size(), frame.data(), frame.size());
  if (size != residuals.size()) {
    throw Error(ErrorKind::corrupt,
                std::string("zstd frame: ") +
                    (ZSTD_isError(size) ? ZSTD_getErrorName(size) : "it holds fewer symbols than the plane"));
  }
  // What comes back is an index into tables: it must be of the alphabet.
  for (const u8 symbol : residuals) {
    if (symbol >> geometry.bits != 0) throw Error(ErrorKind::corrupt, "zstd frame: a symbol is out of range");
  }
}

}  // namespace

const EntropyCoder kZstdCoder = {
    .name = "zstd",
    .id = 3,
    .help = "Zstandard on the symbols, a byte each: the general-purpose way, for comparison",
    .options = kOptions,
    .prepare = &prepare,
    .encode = &encode,
    .decode = &decode};

}  // namespace wcodec
