#include "entropy/raw_coder.hpp"

#include <algorithm>

#include "entropy/bits.hpp"

namespace wcodec {

u64 raw_size(const PlaneGeometry& geometry) noexcept {
  return (static_cast<u64>(geometry.grid.rows * geometry.grid.cols) * static_cast<u64>(geometry.bits) + 7) / 8;
}

void write_raw(const CoderInput& input, LedgerWriter& out) {
  if (out.dry()) {
    out.book(LedgerEntry::payload, raw_size(input.geometry));
  } else if (input.geometry.bits == 8) {
    out.append(LedgerEntry::payload, input.residuals);
  } else {
    BitWriter packed;
    for (const u8 symbol : input.residuals) packed.put(symbol, input.geometry.bits);
    out.append(LedgerEntry::payload, packed.finish());
  }
}

void store(const CoderInput& input, LedgerWriter& out) {
  out.write(LedgerEntry::header, u8{0});
  write_raw(input, out);
}

void store_if_longer(const CoderInput& input, const LedgerWriter::Mark& before, LedgerWriter& out) {
  if (out.ledger().total() - before.ledger.total() <= raw_size(input.geometry)) return;
  out.rollback(before);
  store(input, out);
}

std::optional<Bytes> take_stored(const EntropyCoder& coder, ByteReader& in, const PlaneGeometry& geometry) {
  const auto size = static_cast<std::size_t>(raw_size(geometry));
  if (geometry.bits != 8 || size == 0 || coder.plugin != nullptr) return {};
  if (coder.id != kRawCoder.id) {
    // All coders of ours say by a first byte of 0 that what follows is stored.
    if (in.remaining() == 0 || in.peek()[0] != 0) return {};
    in.take(1, "header of a plane");
  }
  return in.take(size, "raw symbols");
}

void read_raw(ByteReader& in, const PlaneGeometry& geometry, MutBytes residuals) {
  const Bytes stored = in.take(raw_size(geometry), "raw symbols");
  if (geometry.bits == 8) {
    std::copy(stored.begin(), stored.end(), residuals.begin());
    return;
  }
  ByteReader bytes(stored);
  BitReader packed(bytes);
  for (u8& symbol : residuals) symbol = static_cast<u8>(packed.get(geometry.bits));
  packed.finish();
}

const EntropyCoder kRawCoder = {.name = "raw",
                                .id = 0,
                                .help = "symbols packed at their width, uncoded",
                                .options = {},
                                .prepare =
                                    [](const Spec& spec) {
                                      OptionReader(spec, {});
                                      return CoderOptions{};
                                    },
                                .encode = [](const EntropyCoder&, const CoderInput& input, const CoderOptions&,
                                             LedgerWriter& out) { write_raw(input, out); },
                                .decode = [](const EntropyCoder&, ByteReader& in, const PlaneGeometry& geometry,
                                             MutBytes residuals) { read_raw(in, geometry, residuals); }};

}  // namespace wcodec
