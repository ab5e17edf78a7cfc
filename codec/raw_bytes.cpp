#include "codec/raw_bytes.hpp"

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/sources/describe.hpp"

namespace wcodec {
namespace {

constexpr std::size_t kWindow = std::size_t{1} << 17;
// Up to here the bytes themselves are kept as well, in case they do not compress.
constexpr u64 kSmall = u64{1} << 20;
// Both sides use at most 8 MiB of window: what a hostile frame asks for beyond is refused.
constexpr int kWindowLog = 23;

void check_zstd(std::size_t code) {
  if (ZSTD_isError(code) != 0) throw Error(ErrorKind::internal, fmt::format("zstd: {}", ZSTD_getErrorName(code)));
}

}  // namespace

struct RawPacker::State {
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context{ZSTD_createCCtx(), &ZSTD_freeCCtx};
  std::vector<u8> plain, packed;
  u64 bytes = 0;
  u32 crc = 0;

  void compress(Bytes in, ZSTD_EndDirective directive) {
    ZSTD_inBuffer input{in.data(), in.size(), 0};
    for (std::size_t left = 1; left != 0;) {
      const std::size_t end = packed.size();
      packed.resize(end + kWindow);
      ZSTD_outBuffer output{packed.data() + end, kWindow, 0};
      left = ZSTD_compressStream2(context.get(), &output, &input, directive);
      packed.resize(end + output.pos);
      check_zstd(left);
      if (directive == ZSTD_e_continue && input.pos == input.size) break;
    }
  }
};

RawPacker::RawPacker(u64 expected) : state_(std::make_unique<State>()) {
  if (!state_->context) throw std::bad_alloc();
  ZSTD_CCtx* const context = state_->context.get();
  // The highest level is for what is small anyway: the JSON of most checkpoints.
  check_zstd(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, expected <= kSmall ? 19 : 9));
  if (expected > kSmall) check_zstd(ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, kWindowLog));
  check_zstd(ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0));
  check_zstd(ZSTD_CCtx_setPledgedSrcSize(context, expected));
}
RawPacker::~RawPacker() = default;

void RawPacker::append(Bytes bytes) {
  state_->bytes += bytes.size();
  state_->crc = crc32(bytes, state_->crc);
  if (state_->bytes <= kSmall) state_->plain.insert(state_->plain.end(), bytes.begin(), bytes.end());
  state_->compress(bytes, ZSTD_e_continue);
}

std::vector<u8> RawPacker::finish(container::FileEntry& entry) {
  if (state_->bytes == 0) return {};
  state_->compress({}, ZSTD_e_end);
  const bool stored = state_->bytes <= kSmall && state_->plain.size() <= state_->packed.size();
  std::vector<u8> bytes = std::move(stored ? state_->plain : state_->packed);
  entry.method = stored ? container::RawMethod::stored : container::RawMethod::zstd;
  entry.raw_coded_bytes = bytes.size();
  entry.raw_coded_crc = crc32(bytes);
  entry.raw_crc = state_->crc;
  return bytes;
}

struct RawUnpacker::State {
  State(const File& from, const container::FileEntry& of) : file(from), entry(of) {}
  const File& file;
  const container::FileEntry& entry;
  std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context{ZSTD_createDCtx(), &ZSTD_freeDCtx};
  std::vector<u8> window;
  std::size_t used = 0;  // of the window
  u64 read = 0;          // of the coded bytes
  u32 coded_crc = 0, crc = 0;
  bool ended = false;  // zstd: the frame is complete
};

RawUnpacker::RawUnpacker(const File& file, const container::FileEntry& entry)
    : state_(std::make_unique<State>(file, entry)) {
  if (!state_->context) throw std::bad_alloc();
  check_zstd(ZSTD_DCtx_setParameter(state_->context.get(), ZSTD_d_windowLogMax, kWindowLog));
}
RawUnpacker::~RawUnpacker() = default;

void RawUnpacker::fail(const char* what) const {
  throw Error(ErrorKind::corrupt, fmt::format("{}: raw bytes of '{}' at offset {}: {}", state_->file.shown(),
                                              shown_name(state_->entry.name), state_->entry.raw_offset, what));
}

void RawUnpacker::refill() {
  const u64 left = state_->entry.raw_coded_bytes - state_->read;
  if (left == 0) fail("end before they should");
  state_->window.resize(std::min<u64>(left, kWindow));
  state_->file.read_at(state_->entry.raw_offset + state_->read, state_->window);
  state_->read += state_->window.size();
  state_->coded_crc = crc32(state_->window, state_->coded_crc);
  state_->used = 0;
}

// Decodes into `out` from `done` on, refilling where zstd can do nothing with what it has; the new `done`.
std::size_t RawUnpacker::decompress(MutBytes out, std::size_t done) {
  State& state = *state_;
  ZSTD_inBuffer input{state.window.data(), state.window.size(), state.used};
  ZSTD_outBuffer output{out.data(), out.size(), done};
  const std::size_t code = ZSTD_decompressStream(state.context.get(), &output, &input);
  if (ZSTD_isError(code) != 0) fail(ZSTD_getErrorName(code));
  const bool stuck = input.pos == state.used && output.pos == done;
  state.used = input.pos;
  state.ended = code == 0;
  if (stuck && !state.ended) refill();
  return output.pos;
}

void RawUnpacker::read(MutBytes out) {
  State& state = *state_;
  for (std::size_t done = 0; done < out.size();) {
    if (state.entry.method == container::RawMethod::zstd) {
      if (state.ended) fail("are fewer than the index says");
      done = decompress(out, done);
      continue;
    }
    if (state.used == state.window.size()) refill();
    const std::size_t part = std::min(out.size() - done, state.window.size() - state.used);
    std::memcpy(out.data() + done, state.window.data() + state.used, part);
    state.used += part;
    done += part;
  }
  state.crc = crc32(out, state.crc);
}

void RawUnpacker::finish() {
  State& state = *state_;
  if (state.entry.raw_bytes == 0) return;
  // The end of a frame may follow its last byte.
  u8 beyond = 0;
  while (state.entry.method == container::RawMethod::zstd && !state.ended) {
    if (decompress(MutBytes(&beyond, 1), 0) != 0) fail("are more than the index says");
  }
  if (state.read != state.entry.raw_coded_bytes || state.used != state.window.size()) fail("have bytes left over");
  if (state.coded_crc != state.entry.raw_coded_crc || state.crc != state.entry.raw_crc) fail("checksum mismatch");
}

}  // namespace wcodec
